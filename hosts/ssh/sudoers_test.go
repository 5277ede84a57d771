package ssh

import "testing"

// A fix is typed as it stands: the names of directory services must not spoil the file.
func TestSudoersLineOfDirectoryNames(t *testing.T) {
	for user, want := range map[string][2]string{
		"ops":                   {"ops", "slipway-ops"},
		"first.last":            {"first.last", "slipway-first-last"},
		"jdoe@corp.example.com": {`jdoe\@corp.example.com`, "slipway-jdoe-corp-example-com"},
		`CORP\jdoe`:             {`CORP\\jdoe`, "slipway-CORP-jdoe"},
	} {
		if got := [2]string{sudoersUser(user), sudoersName(user)}; got != want {
			t.Errorf("%s: %q, want %q", user, got, want)
		}
	}
}
