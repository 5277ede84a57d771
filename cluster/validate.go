package cluster

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"
)

// finding is a problem and, where it comes of looking at many values, which fields it
// was concluded from: if one of those could not be read, nothing can be concluded.
type finding struct {
	Problem
	from []string
}

type checker struct {
	found []*finding
}

func (k *checker) wrong(path, fix, format string, args ...any) *finding {
	f := &finding{Problem: Problem{Path: path, Message: fmt.Sprintf(format, args...), Fix: fix}}
	k.found = append(k.found, f)
	return f
}

func (f *finding) concludedFrom(fields ...string) { f.from = fields }

func findings(c *Cluster) []*finding {
	k := new(checker)
	k.head(c)
	k.version(c)
	comparable := k.networking(c.Networking)
	k.ssh(c.SSH, "ssh")
	if c.SSH.Host != "" {
		k.wrong("ssh.host", "set it for each host: hosts[…].ssh.host", "would send every host to the same machine")
	}
	k.hosts(c)
	k.endpoint(c)
	k.etcd(c)
	k.addressPlan(c)
	if comparable {
		k.families(c)
	}
	k.registries(c.Registries)
	k.bundle(c.Bundle)
	k.certificates(c.Certificates)
	k.extraArgs(c.ExtraArgs)
	k.nodeMasks(c)
	k.staticPods(c)
	k.components(c)
	k.versionsOf(c)
	k.drain(c.Drain)
	k.upgrade(c.Upgrade)
	k.timeouts(c.Timeouts)
	k.firewall(c.Firewall)
	k.prepare(c.Prepare)
	k.swapUse(c)
	return k.found
}

func (k *checker) head(c *Cluster) {
	if c.APIVersion != APIVersion {
		k.wrong("apiVersion", "write "+APIVersion, "%q is not known", c.APIVersion)
	}
	if c.Kind != Kind {
		k.wrong("kind", "write "+Kind, "%q is not known", c.Kind)
	}
	switch {
	case c.Name == "":
		k.wrong("name", "give the cluster a name, such as demo", "is missing")
	case len(validation.IsDNS1123Label(c.Name)) > 0:
		k.wrong("name", labelFix(c.Name), "%q is not a name for a cluster", c.Name)
	}
	if c.ID != "" && !idForm.MatchString(c.ID) {
		k.wrong("id", "leave it out, or write the whole of what slipway status shows", "%q is not a cluster's ID: 64 hexadecimal digits", c.ID)
	}
}

// idForm is that of a SHA-256. A shorter one could be found again by trying.
var idForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// labelFix offers a name that would do, made of the one that does not.
func labelFix(name string) string {
	const rule = "of at most 63 lower-case letters, digits and dashes that begins and ends with a letter or digit"
	made := notInLabel.ReplaceAllString(strings.ToLower(name), "-")
	if made = strings.Trim(made, "-"); made != "" && len(made) <= 63 {
		return "write " + made + ", or another name " + rule
	}
	return "write a name " + rule
}

var notInLabel = regexp.MustCompile(`[^a-z0-9]+`)

func (k *checker) version(c *Cluster) {
	const path = "kubernetesVersion"
	version, err := ParseVersion(c.KubernetesVersion)
	if err != nil {
		fix := "write it like " + DefaultKubernetesVersion
		if _, err := ParseVersion("v" + c.KubernetesVersion); err == nil {
			fix = "write v" + c.KubernetesVersion + ", with a leading v"
		}
		k.wrong(path, fix, "%s", err)
		return
	}
	if err := Installable(version); err != nil {
		k.wrong(path, "write "+DefaultKubernetesVersion, "%s", err)
	}
	k.imageRepository(c.ImageRepository)
}

// repositoryForm is a registry's host, in any case, and a path, which image names have in
// lower case alone.
var repositoryForm = regexp.MustCompile(`^([a-z0-9]+([.-]+[a-z0-9]+)*|[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+|\[[0-9a-fA-F:.]+\]|localhost)(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

func (k *checker) imageRepository(repository string) {
	const path = "imageRepository"
	if _, after, found := strings.Cut(repository, "://"); found {
		k.wrong(path, "write "+after, "%q has a scheme", repository)
		return
	}
	if strings.HasSuffix(repository, "/") {
		k.wrong(path, "write "+strings.TrimRight(repository, "/"), "%q ends with a slash", repository)
		return
	}
	if !repositoryForm.MatchString(repository) {
		k.wrong(path, "write it like "+DefaultImageRepository+" or registry.example.com:5000/k8s", "%q is not where image names can begin", repository)
	}
}

var keyAlgorithms = []string{"RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"}

// leastValidity keeps certificates from expiring while they are being put in place.
const leastValidity = Duration(10 * time.Minute)

func (k *checker) certificates(certificates Certificates) {
	if certificates.Validity < leastValidity {
		k.wrong("certificates.validity", "write at least "+leastValidity.String()+"; a year is 8760h", "%s is too short", certificates.Validity)
	}
	if certificates.CAValidity < certificates.Validity {
		k.wrong("certificates.caValidity", "write at least validity, "+certificates.Validity.String(),
			"%s is shorter than the life of the certificates that the CAs sign", certificates.CAValidity).concludedFrom("validity")
	}
	if !slices.Contains(keyAlgorithms, certificates.KeyAlgorithm) {
		k.wrong("certificates.keyAlgorithm", oneOf(certificates.KeyAlgorithm, keyAlgorithms), "%q is not known", certificates.KeyAlgorithm)
	}
	seen := map[string]int{}
	for i, san := range certificates.ExtraSANs {
		path := index("certificates.extraSANs", i)
		if !k.mistypedAddress(san, path) && (isZoned(san) || !isAddress(san) && !isName(san) && len(validation.IsWildcardDNS1123Subdomain(san)) > 0) {
			k.wrong(path, "write a name like api.example.com or *.example.com, or an address like 192.0.2.10", "%q is neither a DNS name nor an address", san)
		}
		k.once(seen, san, i, path, "certificates.extraSANs")
	}
}

// once reports what was said before; seen maps it to its index in the list.
func (k *checker) once(seen map[string]int, value string, i int, path, list string) {
	if first, again := seen[value]; again && value != "" {
		k.wrong(path, "", "%q is given twice: it is %s as well", value, index(list, first))
		return
	}
	seen[value] = i
}

// oneOf says what may be written, and first what was meant.
func oneOf(have string, allowed []string) string {
	fix := "write one of " + strings.Join(allowed, ", ")
	if close := nearest(have, allowed); close != "" {
		return fmt.Sprintf("did you mean %s? %s", close, fix)
	}
	return fix
}

func (k *checker) bundle(bundle Bundle) {
	const path = "bundle.trustedKeyFiles"
	seen := map[string]int{}
	for i, file := range bundle.TrustedKeyFiles {
		if file == "" {
			k.wrong(index(path, i), "write the name of a file with a public key, such as release.pub", "is empty")
		}
		k.once(seen, file, i, index(path, i), path)
	}
}

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
