package ssh

// The agent runs as root. So it lies where only root writes, whoever logs in: it is put
// there by root's own shell, out of that shell's stdin, and nobody else had it in hand in
// between. Every directory on the way to it is root's.
//
// Large blobs go through an inbox that the login user writes to by SFTP. The agent takes
// from there only what has the right digest; but what the user writes must not end up in
// somebody else's hands, so the way there is looked at as well.

// What the scripts' own lines begin with.
const (
	inboxWord  = "slipway-agent-inbox"
	thereWord  = "slipway-agent-there"
	absentWord = "slipway-agent-absent"
	unsafeWord = "slipway-agent-unsafe"
	lockedWord = "slipway-agent-locked"
	madeWord   = "slipway-agent-made"
	putWord    = "slipway-agent-put"
	badWord    = "slipway-agent-bad"
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

// startScript is run by the login user: it settles who becomes root and how, once, and
// hands over to rootScript. $1 is the binary's digest, $2 the agent's directory, $3 the
// inbox unless it is the usual one, $4 rootScript.
//
// sudo is asked whether it lets the user in before it is used. One that asks for a password
// would get it by stdin ahead of the operator's first line (sudo -S), in the place of `sudo -n`.
const startScript = `LC_ALL=C; export LC_ALL; u=$(id -u); i=$3; ` + checkScript +
	`if [ -z "$i" ]; then if [ "$u" = 0 ]; then i=$2/inbox; else i=$HOME/.cache/slipway/inbox; fi; fi; ` +
	`n=$(id -un); g=; [ "$u" = 0 ] || [ "$(id -gn)" != "$n" ] || g=$(id -g); ` +
	`case $i in "$2"/*) t=$2;; *) t=${i%/*};; esac; ` +
	`echo "` + inboxWord + ` $u $i"; checkAll "$i" "$t" "$u" "$n" "$g"; ` +
	// What was left in the inbox in the middle, long ago, nobody comes back for.
	`[ ! -d "$i" ] || find "$i" -mindepth 1 -maxdepth 1 -type f -mtime +6 -exec rm -f {} + 2>/dev/null || :; ` +
	`s=; if [ "$u" != 0 ]; then s="sudo -n --"; $s true < /dev/null || { echo "` + lockedWord + `"; exit 1; }; fi; ` +
	`exec $s sh -c "$4" sh "$1" "$2" "$i"`

// rootScript runs the agent where its binary is there already, and else says what kind of
// host this is.
const rootScript = `LC_ALL=C; export LC_ALL; a=$2/agent/$1/slipway-agent; ` + checkScript +
	`checkAll "$a" "$2" 0 root ""; ` +
	`if [ -f "$a" ]; then echo "` + thereWord + ` $2"; exec "$a" --inbox "$3"; fi; ` +
	`echo "` + absentWord + ` $(uname -s) $(uname -m) $2"`

// putScript is root's: it writes the agent, which comes by stdin, beside its place, and
// moves it there only when it is whole. It tells the directories that it makes, the
// outermost first. Agents of other versions go, but for one that somebody may just be
// about to start.
const putScript = `LC_ALL=C; export LC_ALL; umask 077; d=$2/agent/$1; t=$d/.$$; ` +
	`mk() { [ -d "$1" ] || { mk "$(dirname "$1")" && mkdir "$1" 2>/dev/null && echo "` + madeWord + ` $1"; } || [ -d "$1" ] || mkdir "$1"; }; ` +
	`mk "$d" && trap 'rm -f "$t"' EXIT && rm -f "$t" && cat > "$t" || exit 1; ` +
	`s=$(sha256sum < "$t") || exit 1; ` +
	`[ "${s%% *}" = "$1" ] || { echo "` + badWord + `"; exit 1; }; ` +
	`chmod 0700 "$t" && { sync "$t" 2>/dev/null || sync; } && mv -f "$t" "$d/slipway-agent" && echo "` + putWord + `" || exit 1; ` +
	`find "$2/agent" -mindepth 1 -maxdepth 1 -type d ! -name "$1" -mmin +10 -exec rm -rf {} + 2>/dev/null || :`

// untouchScript is root's: it removes the agent $1, where that is named, and the
// directories that were made for it, the innermost first; those with something in them stay.
const untouchScript = `[ -z "$1" ] || rm -f "$1"; shift; for d; do rmdir "$d" 2>/dev/null || :; done`

// tidyScript is root's: it removes all agents below $1; what others have in it stays.
const tidyScript = `rm -rf "$1/agent" && { rmdir "$1" 2>/dev/null || :; }`

// tidyInboxScript is the login user's: it removes the inbox $1, and what else of Slipway is
// beside it: agents of versions that lay there.
const tidyInboxScript = `rm -rf "$1" && d=$(dirname "$1") && rm -rf "$d/agent" && { rmdir "$d" "$(dirname "$d")" 2>/dev/null || :; }`
