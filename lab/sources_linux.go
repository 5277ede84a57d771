package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// sources is where this machine itself gets its packages from.
type sources struct {
	codename string // the release of the machine, which its hosts get too
	list     string // lines of a sources.list
	options  string // apt's own settings that the fetch depends on: proxies, checks of dates
}

// findRelease gives the codename of the machine's own release.
func findRelease() (string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", fmt.Errorf("find the machine's release: %w", err)
	}
	for _, line := range strings.Split(string(release), "\n") {
		if value, ok := strings.CutPrefix(line, "VERSION_CODENAME="); ok {
			return strings.Trim(value, `"`), nil
		}
	}
	return "", errors.New("the lab makes its hosts of Debian or Ubuntu packages, and this machine's /etc/os-release has no VERSION_CODENAME")
}

// findSources reads apt's configuration, so that a lab needs no mirror that the machine
// itself does not use.
func findSources(ctx context.Context, codename string) (sources, error) {
	found := sources{codename: codename}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return sources{}, errors.New("the lab takes its hosts' packages from where this machine does, but it has no apt")
	}
	targets, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format",
		"$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		return sources{}, fmt.Errorf("read apt's sources: %w", err)
	}
	settings, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return sources{}, fmt.Errorf("read apt's settings: %w", err)
	}
	found.list = sourcesList(string(targets), found.codename)
	found.options = fetchOptions(string(settings))
	if found.list == "" {
		return sources{}, fmt.Errorf("apt has no source for %s on this machine: apt-get update, or look into /etc/apt", found.codename)
	}
	return found, nil
}

// sourcesList writes a line for each index of the release itself; repositories of
// others, which may use the same suite names, have other components.
func sourcesList(targets, codename string) string {
	suites := []string{codename, codename + "-updates", codename + "-security"}
	var list []string
	for _, line := range strings.Split(targets, "\n") {
		fields := strings.Split(line, "|")
		if len(fields) != 4 {
			continue
		}
		uri, suite, itsCodename, component := fields[0], fields[1], fields[2], fields[3]
		known := slices.Contains(suites, suite) || slices.Contains(suites, itsCodename)
		if !known || component != "main" && component != "universe" {
			continue
		}
		entry := "deb " + uri + " " + suite + " " + component
		if !slices.Contains(list, entry) {
			list = append(list, entry)
		}
	}
	return strings.Join(list, "\n")
}

// fetchOptions keeps the settings without which apt might not get through.
func fetchOptions(dump string) string {
	keep := []string{"Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::ForceIPv"}
	var options strings.Builder
	for _, line := range strings.Split(dump, "\n") {
		if slices.ContainsFunc(keep, func(p string) bool { return strings.HasPrefix(line, p) }) {
			options.WriteString(line + "\n")
		}
	}
	return options.String()
}
