package phases

import (
	"errors"

	"github.com/slipway-k8s/slipway/hosts"
)

// connectionFixes is what to do about a host that cannot be reached, by why it cannot.
var connectionFixes = map[hosts.ErrorKind]string{
	hosts.KindUnreachable:    "see that the host is up, and that ssh.host and ssh.port of the cluster file are right",
	hosts.KindAuth:           "see that ssh.user and ssh.identityFile of the cluster file are right, or add the key to the host's authorized_keys",
	hosts.KindHostKeyUnknown: "look at the host's key and add it: ssh-keyscan HOST >> ~/.ssh/known_hosts",
	hosts.KindHostKeyChanged: "find out why the host's key has changed; if it was installed anew: ssh-keygen -R HOST",
	hosts.KindPrivilege:      "let the user become root without a password: sudo -n true has to succeed",
	hosts.KindPlatform:       "take a bundle for the host's platform",
	hosts.KindVersion:        "use the Slipway that is on the host, or end what is still running there",
	hosts.KindCut:            "see that the host is up and run the same command again",
	hosts.KindDiskFull:       "make room on the host's disk",
}

func fixOf(err error) string {
	var known *hosts.Error
	if !errors.As(err, &known) {
		return ""
	}
	if known.Fix != "" {
		return known.Fix
	}
	return connectionFixes[known.Kind]
}
