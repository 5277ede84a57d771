package ssh

import (
	"cmp"
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// longAnswer is how long an answer may take before sshd may have given the client up (LoginGraceTime).
const longAnswer = time.Second

// idleMost is how long a connection is kept that waits for an answer: sshd bears a grudge against who exceeds
// LoginGraceTime, 120 s unless it says otherwise (PerSourcePenalties). It is connected to again when there is one.
var idleMost = time.Minute

// tooManyFailures tells that sshd has ended a connection for them (MaxAuthTries).
func tooManyFailures(err error) bool {
	return strings.Contains(strings.ToLower(err.Error()), "too many authentication failures")
}

// The methods of authentication, in ssh's words.
const (
	byPublicKey   = "publickey"
	byInteractive = "keyboard-interactive"
	byPassword    = "password"
)

// authentication is how one connection logs in: by one method after another, as far as the host wants them.
type authentication struct {
	ctx     context.Context
	clock   *patience
	options Options
	keys    *keys

	next    int            // of the keys
	last    string         // the method that was tried
	allowed []string       // what the host lets in by, as it said last
	partial int            // methods that were accepted, and were not enough
	asked   map[string]int // how often methods with answers were tried
	trials  []*trial       // answers that the host has been given, and not judged
	trouble error          // why no answer can be given
	waited  bool           // an answer was waited for, and meanwhile the host may have hung up
	conn    *watchedConn
	wrong   []string // passwords that were refused
	denied  bool     // what was answered besides was refused
}

// prime has the password asked for before the host is connected to, where the operator wants that.
func (a *authentication) prime() error {
	o := a.options
	if o.forJump {
		return nil
	}
	defer a.clock.pause()()
	if o.AskPassword || o.PasswordFile != "" {
		from, err := a.source("", "", false, true)
		if err == nil {
			err = o.Shared.prime(a.ctx, from)
		}
		if err != nil {
			return a.notGiven(err)
		}
	}
	if become := (&becoming{options: o}); o.AskBecome && o.User != DefaultUser || o.BecomePasswordFile != "" {
		if err := o.Shared.prime(a.ctx, become.source("")); err != nil {
			return become.none(err)
		}
	}
	return nil
}

// ended is told how the handshake failed.
func (a *authentication) ended(err error) {
	if tooManyFailures(err) || hungUp(err) && !a.waited {
		a.refused() // some hosts say no more than that
	}
	a.left()
}

// method is the ssh.ClientConfig.AuthCallback: it learns how the last one went, and gives the next.
func (a *authentication) method(at *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if a.conn.broken.Load() { // the last method was not judged
		return nil, io.EOF
	}
	a.allowed = at.AllowedMethods
	if len(at.PartialSuccessMethods) > a.partial {
		a.partial = len(at.PartialSuccessMethods)
		a.accepted()
	} else {
		a.refused()
	}
	if a.ctx.Err() != nil {
		return nil, a.clock.Err()
	}
	for _, name := range a.order() {
		if !slices.Contains(a.allowed, name) {
			continue
		}
		if made := a.make(name); made != nil {
			a.last = name
			return made, nil
		}
	}
	return nil, a.failed()
}

// order is that of ssh, or of PreferredAuthentications.
func (a *authentication) order() []string {
	if a.options.preferred != nil {
		return a.options.preferred
	}
	return []string{byPublicKey, byInteractive, byPassword}
}

// make is a method to try; nil where there is nothing to try by it.
func (a *authentication) make(name string) ssh.AuthMethod {
	switch {
	case name == byPublicKey && a.next < len(a.keys.signers):
		a.next++
		return ssh.PublicKeys(a.keys.signers[a.next-1])
	case name == byInteractive && !a.options.noInteractive && a.mayAnswer(name):
		return ssh.KeyboardInteractive(a.answer)
	case name == byPassword && !a.options.noPassword && a.mayAnswer(name):
		return ssh.PasswordCallback(a.password)
	}
	return nil
}

// mayAnswer tells whether an answer can be had, and was not refused too often.
func (a *authentication) mayAnswer(name string) bool {
	o := a.options
	can := o.PasswordFile != "" || o.mayAskPassword()
	if len(a.wrong) > 0 && o.PasswordFile != "" {
		return false // the same would be tried again
	}
	if !can || a.trouble != nil || a.asked[name] >= cmp.Or(o.prompts, 3) {
		return false
	}
	a.asked[name]++
	return true
}

// password answers the method password, for which the host has no words of its own.
func (a *authentication) password() (string, error) { return a.take("", "", false, true) }

// aPassword is a question that wants the user's password, in the words of PAM in some languages, or in SSSD's.
var aPassword = regexp.MustCompile(`(?i)pass(word|wort)|first factor|mot de passe|contrase|senha|wachtwoord|parol|has[łl]o|l[öo]senord|adgangskode|salasana|jelsz|пароль|密码|密碼|パスワード|암호`)

// aCode is one that wants what is good once, alone or behind the password.
var aCode = regexp.MustCompile(`(?i)\b(token|otp\b|one[- ]?time|einmal)`)

// whoAsks is what many hosts put before a question: their user and name.
var whoAsks = regexp.MustCompile(`^\([^)]*\) *`)

func asksPassword(text string) bool {
	return aPassword.MatchString(text) && !aCode.MatchString(whoAsks.ReplaceAllString(text, ""))
}

// answer answers the host's own questions, all at once.
func (a *authentication) answer(name, instruction string, questions []string, echoed []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i, text := range questions {
		said := strings.TrimSpace(name + "\n" + instruction)
		isPassword := !echoed[i] && asksPassword(text)
		var err error
		if answers[i], err = a.take(strings.TrimSpace(text), said, echoed[i], isPassword); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// take has an answer to a question; for the user's password the text is empty, or the host's.
func (a *authentication) take(text, said string, shown, isPassword bool) (string, error) {
	from, err := a.source(text, said, shown, isPassword)
	if err != nil {
		a.trouble = err
		return "", err
	}
	defer a.clock.pause()()
	a.options.tell("waiting for the password of " + a.options.User)
	defer a.options.tell("logging in")
	began := time.Now()
	defer time.AfterFunc(idleMost, func() { _ = a.conn.Close() }).Stop()
	a.dropRefused(from.key)
	given, err := a.options.Shared.take(a.ctx, from, len(a.trials) > 0)
	if err != nil {
		a.trouble = err
		return "", err
	}
	a.trials = append(a.trials, given)
	a.waited = a.waited || time.Since(began) > longAnswer
	return given.value, nil
}

// dropRefused is that a host which asks for the same again, in one login, does not take what it was given.
func (a *authentication) dropRefused(key secretKey) {
	if !key.once() {
		return
	}
	a.trials = slices.DeleteFunc(a.trials, func(given *trial) bool {
		again := given.secret.key == key
		if again {
			given.refuse(a.refusedFor())
		}
		return again
	})
}

// source is where the answer to a question comes from.
func (a *authentication) source(text, said string, shown, isPassword bool) (source, error) {
	o := a.options
	key := secretKey{kind: "answer", user: o.User, text: text, host: o.Name}
	if isPassword {
		// What the method password has no words for, and what PAM asks with, is the same.
		key = secretKey{kind: byPassword, user: o.User}
		if o.PasswordFile != "" {
			return fromFile(key, o.PasswordFile), nil
		}
	}
	if !o.mayAskPassword() {
		return source{}, ErrNobody
	}
	if o.Shared.elsewhere(key, a.wrong) {
		key.host = o.Name // the others are let in by another one
	}
	if isPassword {
		text = "Password of " + o.User
		if key.host != "" || o.forJump {
			text += " on " + cmp.Or(o.jumpName(), o.Name)
		}
	}
	if o.forJump {
		key.host = o.address()
	}
	return o.Shared.askFor(key, cmp.Or(o.prompts, 3), Question{Host: o.Name, About: o.User + "@" + o.address(), Text: text, Said: said, Shown: shown}), nil
}

func (a *authentication) accepted() {
	for _, given := range a.trials {
		given.accepted()
	}
	a.trials = nil
}

// refused is that what was tried last is not taken.
func (a *authentication) refused() {
	wrong := refuseAll(a.trials, a.refusedFor())
	a.denied = a.denied || len(wrong) < len(a.trials)
	a.wrong, a.trials = append(a.wrong, wrong...), nil
}

// left lets others try what this host could not be asked any more.
func (a *authentication) left() {
	for _, given := range a.trials {
		given.leave()
	}
	a.trials = nil
}
