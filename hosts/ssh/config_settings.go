package ssh

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// known are the keys of ssh_config(5): first those that Slipway goes by, or says why not. The others are about
// what it does not do (terminals, forwarding, sharing connections), or choose algorithms, of which it takes
// none that is weak.
var known = knownKeys(
	"hostname port user identityfile identitiesonly identityagent certificatefile proxyjump proxycommand proxyusefdpass "+
		"userknownhostsfile globalknownhostsfile hostkeyalias hostkeyalgorithms stricthostkeychecking hashknownhosts revokedhostkeys "+
		"connecttimeout serveraliveinterval serveralivecountmax addressfamily bindaddress tag ignoreunknown canonicalizehostname "+
		"pubkeyauthentication passwordauthentication kbdinteractiveauthentication challengeresponseauthentication "+
		"preferredauthentications numberofpasswordprompts batchmode knownhostscommand pkcs11provider bindinterface",
	"addkeystoagent canonicaldomains canonicalizefallbacklocal canonicalizemaxdots canonicalizepermittedcnames casignaturealgorithms "+
		"channeltimeout checkhostip ciphers clearallforwardings compression connectionattempts controlmaster controlpath controlpersist "+
		"dynamicforward enableescapecommandline enablesshkeysign escapechar exitonforwardfailure fingerprinthash forkafterauthentication "+
		"forwardagent forwardx11 forwardx11timeout forwardx11trusted gatewayports gssapiauthentication gssapiclientidentity "+
		"gssapidelegatecredentials gssapikeyexchange gssapikexalgorithms gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns "+
		"hostbasedacceptedalgorithms hostbasedauthentication hostbasedkeytypes ipqos kexalgorithms localcommand localforward "+
		"loglevel logverbose macs nohostauthenticationforlocalhost obscurekeystroketiming permitlocalcommand permitremoteopen protocol "+
		"pubkeyacceptedalgorithms pubkeyacceptedkeytypes refuseconnection rekeylimit remotecommand remoteforward requesttty requiredrsasize "+
		"rsaminsize securitykeyprovider sendenv sessiontype setenv smartcarddevice stdinnull streamlocalbindmask streamlocalbindunlink "+
		"syslogfacility tcpkeepalive tunnel tunneldevice updatehostkeys useprivilegedport usekeychain verifyhostkeydns versionaddendum "+
		"visualhostkey warnweakcrypto xauthlocation")

func knownKeys(taken, passedOver string) map[string]bool {
	all := map[string]bool{}
	for _, key := range strings.Fields(taken + " " + passedOver) {
		all[key] = true
	}
	return all
}

// settings are what a configuration says of how to reach a host, apart from what Options have fields for.
type settings struct {
	typed            string   // the name that was looked up
	identityFiles    []string // those that are not there are passed over
	namesNoKeys      bool     // IdentityFile none
	certificateFiles []string
	onlyIdentities   bool     // of ssh-agent's keys no others
	ownKnown         []string // known_hosts files of the user, and of all; nil: the usual ones
	allKnown         []string
	hashKnown        bool // a new line has no readable name
	revoked          string
	hostKeyAlias     string
	hostKeyTypes     string // HostKeyAlgorithms, as it stands there
	alive            time.Duration
	alivePatience    time.Duration
	family           string // of addresses: tcp, tcp4, tcp6
	bindAddress      string
	noPublicKey      bool
	noPassword       bool
	noInteractive    bool
	preferred        []string // methods of authentication
	prompts          int      // how often a password may be asked for
	unprompted       bool     // it may not be asked for at all
	never            bool     // to ask the operator: BatchMode
}

// settingsReader reads values, and keeps what is wrong with them.
type settingsReader struct {
	*answers
}

func (r settingsReader) bad(line configLine, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf("%s: %s: %s", line.from, line.key, fmt.Sprintf(format, args...)))
}

// one is the only word of a key's value.
func (r settingsReader) one(key string) (value string, line configLine, said bool) {
	line, said = r.first[key]
	if !said {
		return "", line, false
	}
	if len(line.args) != 1 {
		r.bad(line, "one value is wanted, and not %q", line.value)
		return "", line, false
	}
	return line.args[0], line, true
}

func (r settingsReader) number(key string, least, most int) (int, bool) {
	text, line, said := r.one(key)
	if !said {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		r.bad(line, "%q is no number from %d to %d", text, least, most)
		return 0, false
	}
	return n, true
}

// port is a number, or the name of a service, as ssh has it.
func (r settingsReader) port(key string) (int, bool) {
	text, line, said := r.one(key)
	if !said {
		return 0, false
	}
	port, err := portOf(text)
	if err != nil {
		r.bad(line, "%v", err)
	}
	return port, err == nil
}

func portOf(text string) (int, error) {
	if port, err := parsePort(text); err == nil {
		return port, nil
	}
	if _, err := strconv.Atoi(text); err != nil {
		if port, err := net.LookupPort("tcp", text); err == nil && port > 0 {
			return port, nil
		}
	}
	return 0, fmt.Errorf("%q is no number from 1 to %d, nor the name of a service", text, 1<<16-1)
}

// yes tells whether a key says yes; where it says nothing, it is what it is by itself.
func (r settingsReader) yes(key string, unless bool) bool {
	text, line, said := r.one(key)
	if !said {
		return unless
	}
	switch strings.ToLower(text) {
	case "yes", "true":
		return true
	case "no", "false":
		return false
	}
	r.bad(line, "%q is neither yes nor no", text)
	return unless
}

// timeUnits are those of sshd_config(5)'s TIME FORMATS.
var timeUnits = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

func (r settingsReader) duration(key string) time.Duration {
	text, line, said := r.one(key)
	if !said || strings.EqualFold(text, noFile) {
		return 0
	}
	var total time.Duration
	for rest := strings.ToLower(text); rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		unit := time.Second
		if rest = rest[digits:]; rest != "" {
			unit, rest = timeUnits[rest[0]], rest[1:]
		}
		if err != nil || unit == 0 || n > 1<<30 {
			r.bad(line, "%q is no time such as 10 or 1m30s", text)
			return 0
		}
		total += time.Duration(n) * unit
	}
	return total
}

func (r settingsReader) files(key string) []string {
	line, said := r.first[key]
	if !said {
		return nil
	}
	files := []string{}
	for _, text := range line.args {
		file, err := r.file(text)
		switch {
		case err != nil:
			r.bad(line, "%v", err)
		case file != noFile:
			files = append(files, file)
		}
	}
	return files
}

func (r settingsReader) everyFile(key string) []string {
	var files []string
	for _, line := range r.all[key] {
		if len(line.args) != 1 {
			r.bad(line, "one value is wanted, and not %q", line.value)
			continue
		}
		file, err := r.file(line.args[0])
		switch {
		case err != nil:
			r.bad(line, "%v", err)
		case file != noFile:
			files = append(files, file)
		}
	}
	return files
}

// settings reads what is not in Options.
func (r settingsReader) settings() settings {
	s := settings{
		typed:            r.name,
		identityFiles:    r.everyFile("identityfile"),
		namesNoKeys:      len(r.all["identityfile"]) > 0,
		certificateFiles: r.everyFile("certificatefile"),
		onlyIdentities:   r.yes("identitiesonly", false),
		ownKnown:         r.files("userknownhostsfile"),
		allKnown:         r.files("globalknownhostsfile"),
		hashKnown:        r.yes("hashknownhosts", false),
		alive:            r.duration("serveraliveinterval"),
		noPublicKey:      r.publicKeyOff(),
		noPassword:       !r.yes("passwordauthentication", true),
		noInteractive:    !r.yes("kbdinteractiveauthentication", r.yes("challengeresponseauthentication", true)),
		never:            r.yes("batchmode", false),
		prompts:          3,
	}
	if revoked := r.files("revokedhostkeys"); len(revoked) > 0 {
		s.revoked = revoked[0]
	}
	s.hostKeyAlias, _, _ = r.one("hostkeyalias")
	s.hostKeyTypes, _, _ = r.one("hostkeyalgorithms")
	if n, said := r.number("numberofpasswordprompts", 0, 1000); said {
		s.prompts, s.unprompted = min(n, s.prompts), n == 0
	}
	count := 3
	if n, said := r.number("serveralivecountmax", 0, 1_000_000); said {
		count = max(n, 1) // where none may be missed, ssh ends after one interval
	}
	s.alivePatience = time.Duration(count) * s.alive
	if methods, _, said := r.one("preferredauthentications"); said {
		s.preferred = strings.Split(methods, ",")
	}
	s.network(r)
	return s
}

func (s *settings) network(r settingsReader) {
	s.family = "tcp"
	if family, line, said := r.one("addressfamily"); said {
		families := map[string]string{"any": "tcp", "inet": "tcp4", "inet6": "tcp6"}
		if s.family = families[strings.ToLower(family)]; s.family == "" {
			r.bad(line, "%q is none of any, inet and inet6", family)
		}
	}
	if address, _, said := r.one("bindaddress"); said && address != "*" {
		s.bindAddress = address
	}
}

// publicKeyOff: the key takes the words unbound and host-bound besides yes and no.
func (r settingsReader) publicKeyOff() bool {
	text, line, said := r.one("pubkeyauthentication")
	if !said {
		return false
	}
	switch strings.ToLower(text) {
	case "no", "false":
		return true
	case "yes", "true", "unbound", "host-bound":
	default:
		r.bad(line, "%q is neither yes nor no", text)
	}
	return false
}

// untaken are settings that weaken or lead elsewhere, and what is said of each: what it is taken for is told.
func (r settingsReader) untaken() []string {
	var notes []string
	note := func(key, format string, args ...any) {
		notes = append(notes, fmt.Sprintf("%s: %s", r.first[key].from, fmt.Sprintf(format, args...)))
	}
	switch strict := strings.ToLower(r.word("stricthostkeychecking")); strict {
	case "no", "off", "false", "accept-new":
		note("stricthostkeychecking", "StrictHostKeyChecking %s is not followed: host keys are always checked; --trust-on-first-use accepts those that are not known yet", strict)
	}
	if value := r.word("canonicalizehostname"); value != "" && !strings.EqualFold(value, "no") && strings.Count(r.name, ".") < 2 && r.word("canonicaldomains") != "" {
		note("canonicalizehostname", "CanonicalizeHostname is not followed: %s is taken as it stands; write the whole name as ssh.host in the cluster file", r.name)
	}
	for key, what := range map[string]string{
		"knownhostscommand": "KnownHostsCommand is not run: the host's key has to stand in a known_hosts file, or in ssh.hostKeys of the cluster file",
		"pkcs11provider":    "PKCS11Provider is not loaded: give the token's keys to ssh-agent (ssh-add -s)",
		"bindinterface":     "BindInterface is not followed: the connection goes out as routes have it",
	} {
		if value := r.word(key); value != "" && !strings.EqualFold(value, noFile) {
			note(key, "%s", what)
		}
	}
	ignored := strings.Split(strings.ToLower(r.first["ignoreunknown"].value), ",")
	for _, line := range r.passed {
		if !slices.ContainsFunc(ignored, func(p string) bool { return globs(strings.TrimSpace(p), line.key) }) {
			notes = append(notes, fmt.Sprintf("%s: %s is no setting of ssh_config(5) that is known here; it is passed over", line.from, line.key))
		}
	}
	slices.Sort(notes)
	return append(notes, r.noted...)
}

// homeFolder is the operator's.
func homeFolder() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return home
}

// usualKnown are the files that ssh looks into unless said.
func usualKnown() (own, all []string) {
	if home := homeFolder(); home != "" {
		own = []string{filepath.Join(home, ".ssh", "known_hosts"), filepath.Join(home, ".ssh", "known_hosts2")}
	}
	return own, []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
}
