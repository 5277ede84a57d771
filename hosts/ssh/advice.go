package ssh

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

func (h *host) noPrivilege(err error) *hosts.Error {
	user := h.options.User
	return &hosts.Error{
		Kind: hosts.KindPrivilege, Op: "become root as " + user, Err: err,
		Fix: fmt.Sprintf("as root on the host: printf '%%s\\n' '%s ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/%s && chmod 0440 /etc/sudoers.d/%s; or log in as root",
			sudoersUser(user), sudoersName(user), sudoersName(user)),
	}
}

var (
	sudoersMeans   = regexp.MustCompile(`[@!=:,()\\%+#]`)
	notInFileNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
)

// sudoersUser is a login name as sudoers(5) writes it: what means something there is escaped.
func sudoersUser(user string) string {
	return sudoersMeans.ReplaceAllString(user, `\$0`)
}

// sudoersName avoids what makes sudo pass over a file, dots, and what no file's name has.
func sudoersName(user string) string {
	return "slipway-" + notInFileNames.ReplaceAllString(user, "-")
}

// unsafePlace refuses a directory that others could have put something of their own into.
// What it holds besides, a host's record for one, is not to be lost.
func (h *host) unsafePlace(found finding, digest string) error {
	where, typed := found.path, word(found.path)
	ours := func(dir string) bool { return dir != "" && (where == dir || strings.HasPrefix(where, dir+"/")) }
	owner := "root"
	if ours(path.Dir(h.place.inbox)) {
		owner = h.options.User
	}
	repair := "correct what is there"
	switch {
	case strings.HasPrefix(found.why, "does not belong to "):
		repair = "chown " + word(owner) + " " + typed
	case strings.HasPrefix(found.why, "may be written to by others"): // whose it is stays: it may be the user's own
		repair = "chmod go-w " + typed
	}
	fix := fmt.Sprintf("see who can write there (ls -ld %s); then, as root: %s", typed, repair)
	switch {
	case digest != "" && strings.Contains(where, digest), where == h.place.inbox, ours(h.options.Directory + "/agent"):
		fix = fmt.Sprintf("see who put what there (ls -la %s); then, as root: rm -r %s", typed, typed)
	case where == h.options.Directory:
		fix = fmt.Sprintf("see who put what there (ls -la %s); then, as root: rm -rf %s/agent %s/inbox && chown root %s && chmod go-w %s",
			typed, typed, typed, typed, typed)
	}
	return &hosts.Error{
		Kind: hosts.KindForeign, Op: "look at where the agent and its inbox lie",
		Err: fmt.Errorf("%s %s, and what lies below it is run, or taken, by root", where, found.why), Fix: fix,
	}
}

// explainStart says why an agent that was run ended before it said a word.
func (h *host) explainStart(p *process, err error) error {
	said := p.said()
	kind, fix := hosts.KindBroken, ""
	switch {
	case strings.Contains(said, "unable to execute"), p.status() == 126:
		fix = h.fixBarred(h.options.Directory)
	case said != "":
		fix = "see what it says when you run it yourself, as root on the host: " + h.options.Directory + "/agent/*/slipway-agent --version"
	default:
		return fmt.Errorf("run the agent: %w", err)
	}
	return &hosts.Error{Kind: kind, Op: "run the agent", Err: err, Fix: fix}
}

// fixBarred is what to do about a file system that nothing is run from.
func (h *host) fixBarred(directory string) string {
	return fmt.Sprintf("the file system of %s may be mounted noexec, which the agent cannot do with: see findmnt -T %s; "+
		"as root: mount -o remount,exec its mount point, and in /etc/fstab as well", directory, directory)
}

// barred is the error of a file that root may not run.
func (h *host) barred(file string) error {
	return &hosts.Error{
		Kind: hosts.KindBroken, Op: "run the agent",
		Err: fmt.Errorf("%s: Permission denied, though it is root's own", hosts.CleanLine(file)), Fix: h.fixBarred(h.options.Directory),
	}
}

// otherUser is how cloud images answer the user that nobody is to log in as.
var otherUser = regexp.MustCompile(`(?i)log ?in as the user "?([a-z_][a-z0-9_.-]*)"? rather than`)

// turnedAway is what to do about an account that is let in and runs no commands, where it
// says why; empty where it does not.
func (h *host) turnedAway(said string) string {
	user, low := h.options.User, strings.ToLower(said)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(low, word) })
	}
	if other := otherUser.FindStringSubmatch(said); other != nil {
		return fmt.Sprintf("set ssh.user: %s in the cluster file", other[1])
	}
	switch {
	case has("account is currently not available", "account is not available", "nologin"):
		return fmt.Sprintf("give %s a shell on the host: usermod --shell /bin/bash %s; or set another ssh.user in the cluster file", user, user)
	case has("password has expired", "password change required", "required to change your password", "change your password"):
		return fmt.Sprintf("its password has expired, though a key is used: as root on the host: chage -M -1 -d $(date +%%F) %s; or log in once by hand", user)
	case has("account has expired", "account expired"):
		return fmt.Sprintf("as root on the host: chage -E -1 %s; or set another ssh.user in the cluster file", user)
	case has("sftp connections only", "sftp only"):
		return fmt.Sprintf("%s may only use SFTP there (ForceCommand or its shell): let it run commands, or set another ssh.user in the cluster file", user)
	case has("system is booting up", "pam_nologin", "system is going down"):
		return "wait until the host has booted, then run the same command again"
	}
	return ""
}

// fixNoise is what to do about a shell that prints in between.
const fixNoise = "silence the shell's start files for sessions without a terminal: as the first line of ~/.bashrc, " +
	"or of the file that prints: case $- in *i*) ;; *) return;; esac"

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// word is a text as somebody would type it into a shell.
func word(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return quote(text)
}
