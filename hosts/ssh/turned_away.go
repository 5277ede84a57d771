package ssh

import "regexp"

// penalised is what sshd says since OpenSSH 9.8 to an address that it does not want to hear of for a while
// (PerSourcePenalties), in the place of its version.
var penalised = regexp.MustCompile(`(?i)not allowed at this time`)

// fixTurnedAway is what to do about an sshd that hangs up again and again before a login has begun.
func fixTurnedAway(said string) string {
	if penalised.MatchString(said) {
		return "sshd on the way lets this machine's address wait, for what it takes for attempts to get in (PerSourcePenalties): wait some minutes, " +
			"and see in its log what they were; or except the address: PerSourcePenaltyExemptList in its sshd_config"
	}
	return "sshd on the way turns logins away when too many come at once: raise MaxStartups in its sshd_config, or see its log"
}
