package hosttest

import (
	"os"
	"path/filepath"
	"strings"
)

// rootMark is in the environment of what sudo or doas runs: nobody becomes anybody else here.
const rootMark = "HOSTTEST_ROOT"

// Sudo is a sudo that lets everybody do all; see Script.
const Sudo = `[ "$1" = -n ] && shift; [ "$1" = -- ] && shift; ` + rootMark + `=1 exec "$@"`

// Becoming is a sudo or a doas as a host may have it. It does and says what the real one does and says as far
// as a client can tell, and notes in BecomeLog with which arguments it was run and in which environment.
type Becoming struct {
	Password   string // asked for unless empty
	Persist    bool   // -n is let in all the same
	RequireTTY bool   // Defaults requiretty
	Lecture    bool
	Also       string // what PAM asks for besides, and gets the answer "123456"
	Rust       bool   // sudo-rs: its words, and its prompt around what -p says
	NoPrompt   bool   // sudo-rs before 0.2.7, which has no -p
	Refuses    string // what it says instead of running anything, once the password is right
	RunAs      string // whoever that is, but not root
}

// BecomeLog is what a Becoming was asked.
func (s *Server) BecomeLog() string {
	content, err := os.ReadFile(filepath.Join(s.dir, "become.log"))
	if err != nil {
		return ""
	}
	return string(content)
}

// WrongPasswords counts the passwords that were refused.
func (s *Server) WrongPasswords() int { return strings.Count(s.BecomeLog(), "WRONG PASSWORD\n") }

// Without takes a command away that Script has put there, as far as there is none of this machine's own.
func (s *Server) Without(name string) { s.must(os.Remove(filepath.Join(s.dir, "bin", name))) }

// BecomeBy puts a sudo there.
func (s *Server) BecomeBy(b Becoming) {
	s.Script("sudo", s.becoming("sudo", b)+`
ask() { prompt "$1"; IFS= read -r given <&9; }
prompt() { printf '%s' "$1" >&2; }
exec 9<&0
`+b.sudo())
}

// BecomeByDoas puts a doas there, which asks on the terminal and on nothing else.
func (s *Server) BecomeByDoas(b Becoming) {
	s.Script("doas", s.becoming("doas", b)+`
ask() { stty -echo < /dev/tty; prompt "$1"; IFS= read -r given < /dev/tty; stty echo < /dev/tty; echo > /dev/tty; }
prompt() { printf '%s' "$1" > /dev/tty; }
`+b.doas())
}

// becoming begins both.
func (s *Server) becoming(name string, b Becoming) string {
	log := filepath.Join(s.dir, "become.log")
	root := rootMark + "=1"
	if b.RunAs != "" {
		root = rootMark + "="
	}
	return `log='` + log + `'; name=` + name + `; { echo "$name $*"; env; } >> "$log"
n= S= p='Password: '
while :; do case $1 in
-n) n=1;; -S) S=1;; -p) [ -z "` + flag(b.NoPrompt) + `" ] || { echo "sudo: unrecognized option '-p'" >&2; exit 1; }; p=$2; shift;; --) shift; break;;
-*) echo "$name: invalid option -- '$1'" >&2; exit 1;; *) break;; esac; shift; done
say() { printf '%s\n' "$name: $1" >&2; exit 1; }
has_tty() { ( : < /dev/tty ) 2> /dev/null; }
run() { ` + root + ` exec "$@" 9<&-; }
`
}

// word is a text as one word of the shell's.
func word(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func flag(set bool) string {
	if set {
		return "1"
	}
	return ""
}

func (b Becoming) sudo() string {
	needs, again, end := "a password is required", "Sorry, try again.", "3 incorrect password attempts"
	prompt := `"$p"`
	if b.Rust {
		needs, again, end = "interactive authentication is required", "sudo: Authentication failed, try again.", "Maximum 3 incorrect authentication attempts"
		prompt = `"[sudo: $p] Password: "`
		if b.NoPrompt {
			prompt = `"[sudo: authenticate] Password: "`
		}
	}
	var body strings.Builder
	if b.RequireTTY {
		body.WriteString("has_tty || say 'sorry, you must have a tty to run sudo'\n")
	}
	if b.Password != "" {
		if b.Persist {
			body.WriteString("[ -z \"$n\" ] || run \"$@\"\n")
		}
		body.WriteString("[ -z \"$n\" ] || say '" + needs + "'\n[ -n \"$S\" ] || say 'a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper'\n")
		if b.Lecture {
			body.WriteString("printf '%s\\n' '' 'We trust you have received the usual lecture from the local System' 'Administrator. Password: it usually boils down to these three things:' '' '    #1) Respect the privacy of others.' '' >&2\n")
		}
		body.WriteString("tries=0; while :; do ask " + prompt + " || say 'no password was provided'\n[ \"$given\" != " + word(b.Password) + " ] || break\n" +
			"echo 'WRONG PASSWORD' >> \"$log\"; tries=$((tries+1)); [ $tries -lt 3 ] || say '" + end + "'; echo '" + again + "' >&2; done\n")
	}
	return body.String() + b.rest()
}

func (b Becoming) doas() string {
	var body strings.Builder
	if b.Password != "" {
		if b.Persist {
			body.WriteString("[ -z \"$n\" ] || run \"$@\"\n")
		}
		body.WriteString("[ -z \"$n\" ] || say 'Authentication required'\nhas_tty || say 'a tty is required'\n" +
			"ask 'doas (ops@cp-1) password: '\n[ \"$given\" = " + word(b.Password) + " ] || { echo 'WRONG PASSWORD' >> \"$log\"; say 'Authentication failed'; }\n")
	}
	return body.String() + b.rest()
}

func (b Becoming) rest() string {
	var body strings.Builder
	if b.Also != "" {
		body.WriteString("ask " + word(b.Also) + "; [ \"$given\" = 123456 ] || say '1 incorrect password attempt'\n")
	}
	if b.Refuses != "" {
		body.WriteString("printf '%s\\n' " + word(b.Refuses) + " >&2; exit 1\n")
	}
	return body.String() + "run \"$@\"\n"
}
