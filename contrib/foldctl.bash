# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2207
#
# Completion of foldctl(1)'s commands, options and file names for bash.

_foldctl() {
	local word=${COMP_WORDS[COMP_CWORD]} command='' i
	local commands='collapse insert punch zero move stats fault'

	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} != -* ]] && command=${COMP_WORDS[i]} && break
	done
	COMPREPLY=()
	if [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W '--help --json --verbose --version' -- "$word"))
	elif [[ -z $command ]]; then
		COMPREPLY=($(compgen -W "$commands" -- "$word"))
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == "$command" ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}
complete -F _foldctl foldctl
