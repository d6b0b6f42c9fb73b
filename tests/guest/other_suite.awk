# SPDX-License-Identifier: MIT
#
# apt's sources with another suite in them. -v own=CODENAME: what this machine runs;
# -v suite=SUITE: what shall be there instead; -v deb822=1 for that format, whose stanzas
# end at an empty line. What is of another distribution is left out, and so are backports.

# other(WORD): what becomes of a suite's name; nothing if it is to be left out.
function other(word) {
	if (word !~ "^(" own "|(old)*stable|testing|unstable|sid)([-/].*)?$")
		return ""
	if (word ~ /[-\/](updates|security)$/ && word ~ /security/)
		return suite ~ /^(sid|unstable|experimental)$/ ? "" : suite "-security"
	if (word ~ /-updates$/ && suite !~ /^(sid|unstable|experimental|testing)$/)
		return suite "-updates"
	return word ~ /[-\/]/ ? "" : suite
}

function end_of_stanza() {
	if (wanted)
		printf "%s\n", stanza
	stanza = ""
	wanted = 0
}

deb822 && /^[ \t]*$/ { end_of_stanza(); next }
deb822 && /^#/ { next }
deb822 && tolower($1) == "suites:" {
	line = "Suites:"
	for (i = 2; i <= NF; i++) {
		new = other($i)
		if (new != "") {
			line = line " " new
			wanted = 1
		}
	}
	stanza = stanza line "\n"
	next
}
deb822 { stanza = stanza $0 "\n"; next }

# deb [OPTIONS] ADDRESS SUITE COMPONENT...
$1 == "deb" {
	i = 2
	if ($i ~ /^\[/)
		while ($i !~ /\]$/)
			i++
	i += $2 ~ /^\[/ ? 2 : 1
	$i = other($i)
	if ($i != "")
		print
}

END { if (deb822) end_of_stanza() }
