package ssh

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// IdleAtMost has connections that wait for an answer closed after this time.
func IdleAtMost(t testing.TB, most time.Duration) {
	before := idleMost
	idleMost = most
	t.Cleanup(func() { idleMost = before })
}

// AsksForPassword tells whether a question is for the user's password, when logging in and when becoming root.
func AsksForPassword(question string) (login, become bool) {
	return asksPassword(strings.TrimSpace(question)), newAsking().question(question) == ""
}

// ByHand and CopyKey are what to type to reach a host, and to have it let a key in.
func ByHand(o Options, flags, run string) string { return o.byHand(flags, run) }
func CopyKey(o Options) string                   { return o.copyKey() }

// Said are what a configuration has said of options that have no field of their own, in words for tests.
func Said(o Options) []string {
	var all []string
	say := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	for _, file := range o.identityFiles {
		say(true, "key=%s", file)
	}
	for _, file := range o.certificateFiles {
		say(true, "certificate=%s", file)
	}
	say(o.onlyIdentities, "only")
	say(o.ownKnown != nil, "known=%s", strings.Join(knownHostsFiles(o), ","))
	say(o.hostKeyAlias != "", "alias=%s", o.hostKeyAlias)
	say(o.alive != 0, "alive=%s/%s", o.alive, o.alivePatience.Round(time.Second))
	say(o.noPublicKey, "off=publickey")
	say(o.noPassword, "off=password")
	say(o.noInteractive, "off=keyboard-interactive")
	say(o.never, "never")
	say(o.preferred != nil, "prefers=%s", strings.Join(o.preferred, ","))
	say(o.unprompted, "unprompted")
	say(o.prompts != 0 && o.prompts != 3, "prompts=%d", o.prompts)
	return all
}
