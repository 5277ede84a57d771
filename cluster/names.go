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
// the dot at the end only marks the name as complete. Text that is no name stays unchanged.
func normalName(text string) string {
	name := strings.TrimSuffix(strings.ToLower(text), ".")
	if isName(strings.TrimPrefix(name, "*.")) {
		return name
	}
	return text
}

func isName(text string) bool { return len(validation.IsDNS1123Subdomain(text)) == 0 }

// isMistypedAddress tells whether a text was meant as an IPv4 address and is none: no host name
// consists of digits and dots alone, and resolvers read such a text as a number.
func isMistypedAddress(text string) bool {
	return !isAddress(text) && strings.Contains(text, ".") && strings.Trim(text, "0123456789.") == ""
}

const mistypedFix = "write four numbers from 0 to 255, without leading zeros, like 192.0.2.10"

// mistypedAddress reports such a text.
func (k *checker) mistypedAddress(text, path string) bool {
	if !isMistypedAddress(text) {
		return false
	}
	k.wrong(path, mistypedFix, "%q is not an address, nor a name: it has nothing but digits and dots", text)
	return true
}

// isZoned tells whether an address only means something on one host: fe80::1%eth0.
func isZoned(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Zone() != ""
}

// loginName says what is wrong with an SSH user; "" where OpenSSH accepts it. Directory
// services have names like jdoe@corp.example.com and CORP\jdoe. Characters that mean something
// to a shell are refused, as ssh does, since a proxyCommand may contain the name.
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
