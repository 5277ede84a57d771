package ssh

import "strings"

// The agent runs as root. So it lies where only root writes, whoever logs in: it is put
// there by root's own shell, out of that shell's stdin, and nobody else had it in hand in
// between. Every directory on the way to it is root's.
//
// Large blobs go through an inbox that the login user writes to by SFTP. The agent takes
// from there only what has the right digest; but what the user writes must not end up in
// somebody else's hands, so the way there is looked at as well.

// ourWords is what the words begin with that the scripts' own lines begin with.
const ourWords = "slipway-agent-"

// The words, and what follows them.
const (
	inboxWord    = ourWords + "inbox"    // the login user's number, the inbox
	waysWord     = ourWords + "ways"     // the programs that may help to become root
	viaWord      = ourWords + "via"      // the one that is run to become root, or none
	rootWord     = ourWords + "root"     // root's shell listens
	otherWord    = ourWords + "other"    // it is not root's, but whose
	confinedWord = ourWords + "confined" // it may run nothing
	thereWord    = ourWords + "there"    // the agent is run now, out of this directory
	absentWord   = ourWords + "absent"   // it is not there; system, machine
	unsafeWord   = ourWords + "unsafe"   // why, and what
	barredWord   = ourWords + "barred"   // a file that may not be run
	madeWord     = ourWords + "made"     // a directory
	putWord      = ourWords + "put"
	badWord      = ourWords + "bad" // what arrived is not what was sent
)

// checkScript is two functions. check PATH OURS OWNER NAME GROUP looks at a path and all above
// it, links followed. They must be root's or OWNER's, who is called NAME, and nobody else
// may write to them: not below OURS in any way; above it others may where the directory is
// sticky, and so may root's group, and the user's own GROUP that nobody else is in, as some
// distributions have it. Where ls shows an access control list, what stands in the group's
// place is the most that anybody named in that list may do, and not what root's group may.
//
// checkAll does so for the target of each link on the way as well, one link after another:
// what lies above a target is not above the link, and who may write to a folder on the way
// may put another link there. The links themselves must be root's or OWNER's.
const checkScript = `unsafe() { printf "%s %s\t%s\n" "` + unsafeWord + `" "$2" "$1"; exit 1; }; ` +
	`check() { p=$1; top=$2; own=$3; name=$4; group=$5; while :; do if [ -e "$p" ]; then ` +
	`set -- $(ls -ldnL "$p"); w=; ` +
	`[ "$3" = 0 ] || [ "$3" = "$own" ] || w="does not belong to $name"; ` +
	`case $p/ in "$top"/*) strict=1;; *) strict=;; esac; ` +
	`case $1 in ` +
	`?????????[tT]*) [ -z "$strict" ] || w="may be written to by others";; ` +
	`????????w*) w="may be written to by others";; ` +
	`?????w????+*) w="may be written to by others, by its access control list";; ` +
	`?????w*) [ -z "$strict" ] && { [ "$4" = 0 ] || [ "$4" = "$group" ]; } || w="may be written to by others";; ` +
	`[-d]*) ;; *) w="does not show who may write to it";; esac; ` +
	`[ -z "$w" ] || unsafe "$p" "$w"; fi; ` +
	`case $p in /|[!/]*) break;; esac; p=${p%/*}; p=${p:-/}; done; }; ` +
	// f is the way as far as its links were followed, l the first link on it, t where that
	// leads, b what comes behind it.
	`checkAll() { check "$@"; f=$1; ours=$2; k=0; while :; do ` +
	`l=; b=$f; while [ -n "$b" ]; do b=${b#/}; c=${b%%/*}; b=${b#"$c"}; l=$l/$c; [ ! -h "$l" ] || break; done; ` +
	`[ -h "$l" ] || break; t=$(readlink "$l"); ` +
	`set -- $(ls -ldn "$l"); [ "$3" = 0 ] || [ "$3" = "$own" ] || unsafe "$l" "does not belong to $name"; ` +
	`k=$((k+1)); [ "$k" -le 40 ] || unsafe "$l" "is a link that leads in a circle"; ` +
	`case $t in /*) ;; *) t=${l%/*}/$t;; esac; ` +
	`case $l/ in "$ours"/*) ours=$t;; *) case $ours/ in "$l"/*) ours=$t${ours#"$l"};; esac;; esac; ` +
	`check "$t" "$ours" "$own" "$name" "$group"; f=$t$b; done; }; `

// startScript is run by the login user, with the agent's directory as $1 and the inbox, unless
// it is the usual one, as $2: it looks at the way to the inbox and tells what there is to become
// root with. What comes behind it (handOver) does so.
//
// It begins with a line of its own: what a login shell prints ahead of it may not end with one.
// The PATH that a start file leaves may lack what is in every system's.
const startScript = `LC_ALL=C; export LC_ALL; ` + pathScript + `u=$(id -u); i=$2; echo; ` + checkScript +
	`if [ -z "$i" ]; then if [ "$u" = 0 ]; then i=$1/inbox; else i=$HOME/.cache/slipway/inbox; fi; fi; ` +
	`n=$(id -un); g=; [ "$u" = 0 ] || [ "$(id -gn)" != "$n" ] || g=$(id -g); ` +
	`case $i in "$1"/*) t=$1;; *) t=${i%/*};; esac; ` +
	`echo "` + inboxWord + ` $u $i"; checkAll "$i" "$t" "$u" "$n" "$g"; ` + staleScript +
	`w=; for p in sudo doas script; do if command -v "$p" > /dev/null 2>&1; then w="$w $p"; fi; done; ` +
	`echo "` + waysWord + `$w"; `

// pathScript adds what every system has to a PATH.
const pathScript = `PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; `

// staleScript removes from the inbox $i what was left there in the middle, long ago: nobody
// comes back for it.
const staleScript = `[ ! -d "$i" ] || find "$i" -mindepth 1 -maxdepth 1 -type f -mtime +6 -exec rm -f {} + 2>/dev/null || :; `

// rootScript is root's, as all below. $1 is the binary's digest, $2 the agent's directory, $3
// the inbox; $4, where it says so, has the sum of what is there looked at. It runs the agent where
// its binary is there already, and else says what kind of host this is, and waits for the next line.
//
// sudoers may let sh be run and nothing out of it (NOEXEC), or run it by another user
// (runas_default): both show in what id says.
const rootScript = `LC_ALL=C; export LC_ALL; ` + pathScript +
	`case $(id -u 2>/dev/null) in 0) ;; "") echo "` + confinedWord + `"; exit 1;; *) echo "` + otherWord + ` $(id -un)"; exit 1;; esac; ` +
	checkScript + `a=$2/agent/$1/slipway-agent; checkAll "$a" "$2" 0 root ""; i=$2/inbox; ` + staleScript +
	`undo() { :; }; ` + sumScript + runScript +
	`if [ -f "$a" ] && { [ -z "$4" ] || [ "$(sum "$a")" = "$1" ]; }; then run "$2" "$3"; fi; ` +
	`echo "` + absentWord + ` $(uname -s) $(uname -m)"; ` + nextScript

// sumScript is a function: the SHA-256 of a file.
const sumScript = `sum() { set -- $(sha256sum < "$1"); echo "$1"; }; `

// runScript is a function: run DIRECTORY INBOX runs the agent $a in place of the shell. A file
// that may not be run, as on a file system that is mounted noexec, is told of before.
const runScript = `run() { if [ ! -x "$a" ]; then undo; echo "` + barredWord + ` $a"; exit 1; fi; ` +
	`echo "` + thereWord + ` $1"; exec "$a" --inbox "$2" --parts "$1/inbox"; }; `

// nextScript waits for the next line and does what it says. read takes no byte more than the
// line: what comes behind it is somebody else's.
const nextScript = `IFS= read -r s && eval "$s"`

// putScript takes $1 to $3 as rootScript does, and the binary's size as $4: it writes the
// agent, which comes behind the line, beside its place, moves it there only when it is whole, and
// runs it. It tells the directories that it makes, the outermost first, and takes them away again
// where it does not come to its end. Agents of other versions go, but for one that somebody may
// just be about to start.
//
// head -c takes no byte more than it is to: behind it comes what is the agent's.
const putScript = `umask 077; d=$2/agent/$1; t=$d/.$$; a=$d/slipway-agent; m=; ` +
	`mk() { [ -d "$1" ] || { mk "$(dirname "$1")" && mkdir "$1" 2>/dev/null && echo "` + madeWord + ` $1" && m=1; } || [ -d "$1" ] || mkdir "$1"; }; ` +
	`undo() { rm -f "$t"; [ -z "$m" ] || { rm -f "$a"; rmdir "$d" "${d%/*}" 2>/dev/null || :; }; [ -z "$n" ] || rmdir "${d%/*/*}" 2>/dev/null || :; }; ` +
	`n=1; [ ! -d "$2" ] || n=; ` +
	`mk "$d" && rm -f "$t" && head -c "$4" > "$t" || { undo; exit 1; }; ` +
	`[ "$(sum "$t")" = "$1" ] || { undo; echo "` + badWord + `"; exit 1; }; ` +
	`chmod 0700 "$t" && { sync "$t" 2>/dev/null || sync; } && mv -f "$t" "$a" || { undo; exit 1; }; echo "` + putWord + `"; ` +
	`find "$2/agent" -mindepth 1 -maxdepth 1 -type d ! -name "$1" -mmin +10 -exec rm -rf {} + 2>/dev/null || :; ` +
	`run "$2" "$3"`

// untouchScript removes the agent $1, where that is named, and the
// directories that were made for it, the innermost first; those with something in them stay.
const untouchScript = `[ -z "$1" ] || rm -f "$1"; shift; for d; do rmdir "$d" 2>/dev/null || :; done`

// tidyScript removes all agents below $1; what others have in it stays.
const tidyScript = `rm -rf "$1/agent" "$1/inbox" && { rmdir "$1" 2>/dev/null || :; }`

// tidyInboxScript is the login user's: it removes the inbox $1, and what else of Slipway is
// beside it: agents of versions that lay there.
const tidyInboxScript = `rm -rf "$1" && d=$(dirname "$1") && rm -rf "$d/agent" && { rmdir "$d" "$(dirname "$d")" 2>/dev/null || :; }`

// loginCommand is what every session begins with: a shell that does what a line of its stdin
// says. So whichever shell the login user has, be it fish or csh, has nothing to make sense of
// but this; what root does stands in no list of processes and no log of sudo's; and all goes
// through one session, however few of them sshd allows (MaxSessions). A start file may have lost the PATH.
const loginCommand = `/bin/sh -c '` + nextScript + `'`

// rootShell is the same by root, and tells that it has come so far.
const rootShell = `echo ` + rootWord + `; ` + nextScript

// line is a script with its arguments as loginCommand's shell takes it.
func line(script string, args ...string) string {
	words := []string{"set --"}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ") + "; " + script + "\n"
}

// quote makes one word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
