package cluster

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"
)

// normalName is a DNS name as it goes into certificates and into kubeadm's configuration,
// which takes no other form: DNS itself knows no difference between upper and lower case, and
// the dot at the end only says that the name is whole. What is no name stays as it is said.
func normalName(text string) string {
	name := strings.TrimSuffix(strings.ToLower(text), ".")
	if isName(strings.TrimPrefix(name, "*.")) {
		return name
	}
	return text
}

func isName(text string) bool { return len(validation.IsDNS1123Subdomain(text)) == 0 }

// isNearlyAddress tells whether a text is an IPv4 address with a slip in it: no name that
// leads anywhere is made of digits and dots alone, and resolvers read such a one as a number.
func isNearlyAddress(text string) bool {
	return !isAddress(text) && strings.Contains(text, ".") && strings.Trim(text, "0123456789.") == ""
}

const slipFix = "write four numbers from 0 to 255, without leading zeros, like 192.0.2.10"

// slip reports an address with a slip in it.
func (k *checker) slip(text, path string) bool {
	if !isNearlyAddress(text) {
		return false
	}
	k.wrong(path, slipFix, "%q is not an address, nor a name: it has nothing but digits and dots", text)
	return true
}

// isZoned tells whether an address only means something on one host: fe80::1%eth0.
func isZoned(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Zone() != ""
}

// loginName says what is wrong with an SSH user; "" where OpenSSH would take it. Directory
// services have names like jdoe@corp.example.com and CORP\jdoe; what a shell would read as
// more than a word is refused, as ssh does, since a proxyCommand may have it put in.
func loginName(user string) string {
	switch {
	case user == "":
		return "is missing"
	case strings.HasPrefix(user, "-"):
		return fmt.Sprintf("%q begins with a dash", user)
	case strings.HasSuffix(user, `\`):
		return fmt.Sprintf("%q ends with a backslash", user)
	case strings.ContainsFunc(user, unicode.IsControl):
		return fmt.Sprintf("%q has a control character in it", user)
	case strings.ContainsFunc(user, unicode.IsSpace):
		return fmt.Sprintf("%q has a blank in it", user)
	}
	if at := strings.IndexAny(user, "'`\";&<>|(){}"); at >= 0 {
		return fmt.Sprintf("%q has a %c in it", user, user[at])
	}
	return ""
}
