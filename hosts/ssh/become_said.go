package ssh

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// What sudo, sudo-rs and doas say in the language C, which the scripts ask for, as far as something is done about it.
var (
	// wantsPassword: sudo, sudo-rs, and doas without and with PAM, when they may not ask.
	wantsPassword = regexp.MustCompile(`(?i)a password is required|interactive authentication is required|(authentication|authorization) required`)
	// wantsTerminal: sudo with requiretty, sudo that reads no password from stdin, doas.
	wantsTerminal = regexp.MustCompile(`(?i)must have a tty|a (tty|terminal) is required`)
	// knowsNoPrompt: sudo-rs before 0.2.7 has no -p.
	knowsNoPrompt = regexp.MustCompile(`(?i)(unrecognized|unknown|invalid|unexpected) (option|argument|flag)|invalid option`)
	// isWrong: sudo's last words after wrong passwords, sudo-rs', doas'.
	isWrong = regexp.MustCompile(`(?i)sorry, try again|incorrect (password|authentication) attempt|authentication fail|operation not permitted`)
)

// asIfAbsent is what a doas says that was installed and never set up: beside a sudo nobody wants to hear of it.
var asIfAbsent = regexp.MustCompile(`doas is not enabled`)

// shellInWords is the command in sudo's words that it does not allow.
var shellInWords = regexp.MustCompile(`(?s)(not allowed to execute ').*(' as )|(may not run ).*( on )`)

// shortened leaves our own script out of what sudo says.
func shortened(said string) string {
	return shellInWords.ReplaceAllString(said, "${1}${3}sh${2}${4}")
}

// whyNoRoot is what to do about what sudo or doas said, by the first that matches. USER is the login user, SUDOERS as
// sudoers(5) has it.
var whyNoRoot = []struct {
	said *regexp.Regexp
	fix  string
}{
	{
		regexp.MustCompile(`(?i)(password|account).{0,30}(expired|locked)|account validation failure|account management`),
		"the password or the account of USER has expired or is locked: as root on the host: chage -l USER; passwd -S USER; then chage -E -1 -M -1 -d $(date +%F) USER, or passwd -u USER",
	},
	{
		regexp.MustCompile(`(?i)must be owned by uid 0|effective uid is not 0|nosuid|no new privileges|setuid bit|not installed setuid`),
		"sudo cannot work there: its file system is mounted nosuid (findmnt -T /usr/bin/sudo), or it lost its rights: as root: chown root:root /usr/bin/sudo && chmod 4755 /usr/bin/sudo",
	},
	{
		regexp.MustCompile(`(?i)syntax error|parse error|no valid sudoers|unable to (open|stat|read|initialize)|is writable by|is world writable|invalid configuration`),
		"the rules on the host cannot be read: as root: visudo -c, or see /etc/doas.conf",
	},
	{
		wantsTerminal,
		"a terminal is made by the program script, which is not there: as root on the host: apt-get install bsdutils, or dnf install util-linux-script; " +
			"or printf '%s\\n' 'Defaults:SUDOERS !requiretty' > /etc/sudoers.d/slipway-tty",
	},
	{
		regexp.MustCompile(`(?i)doas is not enabled|doas\.conf|^doas: operation not permitted$`),
		"as root on the host: printf '%s\\n' 'permit nopass USER' >> /etc/doas.conf && chmod 0600 /etc/doas.conf",
	},
}

// noRoot is the error of a host on which no way leads to root.
func (h *host) noRoot(l *ladder) error {
	var said []string
	for _, no := range l.refusals {
		if no.wrong {
			return h.wrongPassword(no)
		}
		if asIfAbsent.MatchString(no.said) && slices.Contains(l.there, BecomeSudo) && h.options.Become == "" {
			continue
		}
		if no.said != "" && !slices.Contains(said, no.said) {
			said = append(said, no.said)
		}
	}
	if len(said) == 0 {
		return h.noProgram(l.refusals)
	}
	err := errors.New(strings.Join(said, "; "))
	users := strings.NewReplacer("USER", h.options.User, "SUDOERS", sudoersUser(h.options.User))
	for _, why := range whyNoRoot {
		if why.said.MatchString(err.Error()) {
			return &hosts.Error{Kind: hosts.KindPrivilege, Op: "become root as " + h.options.User, Err: err, Fix: users.Replace(why.fix)}
		}
	}
	known := h.noPrivilege(err)
	if !l.canAsk && wantsPassword.MatchString(err.Error()) {
		known.Fix = "have its password asked for, with --ask-become-pass; or " + known.Fix
	}
	return known
}

// wrongPassword is the error of a password that was refused as often as it may be.
func (h *host) wrongPassword(no refusal) error {
	o := h.options
	return &hosts.Error{
		Kind: hosts.KindPrivilege, Op: "become root as " + o.User,
		Err: fmt.Errorf("%s does not take the password%s", no.program, told("it", no.said)),
		Fix: "try the password by hand: " + o.byHand("-t", no.program+" true"),
	}
}

// noProgram is the error of a host that has nothing to become root with.
func (h *host) noProgram(refusals []refusal) error {
	known := h.noPrivilege(fmt.Errorf("%s is not there", strings.Join(h.options.candidates(), " nor ")))
	switch tried := refusals[len(refusals)-1].program; {
	case h.options.Become == BecomeNone:
		known.Err = errors.New("it is not root, and ssh.become is none")
		known.Fix = "set ssh.become to sudo or doas, or ssh.user to root, in the cluster file"
	case slices.Contains(h.options.candidates(), tried):
		known.Err = fmt.Errorf("%s ended and did not say why", tried)
	case h.options.Become == "":
		known.Err = errors.New("neither sudo nor doas is there")
		known.Fix = "install sudo on the host, and then " + known.Fix
	}
	return known
}
