# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2207
#
# Completion of foldx(1)'s options, operations and file names for bash.

# _foldx_value PROGRAM OPTION WORD: what may follow OPTION=
_foldx_value() {
	local operations list=''

	case $2 in
	--only | --without | --require | --weights)
		# Its help ends with all of them, and their weights.
		operations=$("$1" --help 2>/dev/null | grep -oE '\b[a-z]+=[0-9]+' | cut -d= -f1)
		[[ $3 == *,* ]] && list=${3%,*},
		[[ $2 == --require && -z $list ]] && operations+=' all'
		COMPREPLY=($(compgen -P "$list" -W "$operations" -- "${3##*,}"))
		compopt -o nospace
		;;
	--behind)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$3")
		;;
	--record | --replay)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$3")
		;;
	esac
}

_foldx() {
	local word=${COMP_WORDS[COMP_CWORD]}
	local options='--align= --behind= --block= --hang= --help --length= --mappings=
		--only= --ops= --processes= --quiet --record= --replay= --require= --seconds=
		--seed= --shrink= --size= --together= --tries= --version --weights= --without='

	COMPREPLY=()
	# Readline has '=' as a word of its own.
	if [[ $word == = ]]; then
		_foldx_value "$1" "${COMP_WORDS[COMP_CWORD - 1]}" ''
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
		_foldx_value "$1" "${COMP_WORDS[COMP_CWORD - 2]}" "$word"
	elif [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$word"))
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
	else
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
	fi
}
complete -F _foldx foldx
