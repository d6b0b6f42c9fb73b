# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2207
#
# Completion of foldx(1)'s options and file names for bash.

_foldx() {
	local word=${COMP_WORDS[COMP_CWORD]}
	local options='--align= --behind= --block= --hang= --help --length= --mappings=
		--only= --ops= --processes= --quiet --record= --replay= --require= --seconds=
		--seed= --shrink= --size= --together= --tries= --version --weights= --without='

	COMPREPLY=()
	if [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$word"))
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
	else
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}
complete -F _foldx foldx
