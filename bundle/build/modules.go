package build

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	gomodule "golang.org/x/mod/module"
)

// module is a Go module that is linked into a component.
type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // go.sum's h1
	License string `json:"license,omitempty"`
}

// linkedModules reads, out of the binaries themselves, which modules are in them.
func linkedModules(bin string, programs []builtFile) ([]module, error) {
	seen := map[string]module{}
	for _, file := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(bin, file.Name))
		if err != nil {
			return nil, fmt.Errorf("read the modules of %s: %w", file.Name, err)
		}
		for _, dep := range append(info.Deps, &info.Main) {
			if dep.Replace != nil {
				dep = dep.Replace
			}
			if dep.Version == "" || dep.Version == "(devel)" {
				continue // the folder of the component itself
			}
			seen[dep.Path+"@"+dep.Version] = module{Path: dep.Path, Version: dep.Version, Sum: dep.Sum}
		}
	}
	modules := make([]module, 0, len(seen))
	for _, m := range seen {
		modules = append(modules, m)
	}
	sort.Slice(modules, func(i, j int) bool {
		return modules[i].Path+"@"+modules[i].Version < modules[j].Path+"@"+modules[j].Version
	})
	return modules, nil
}

// licenceName matches the files that hold a licence, or what a licence asks to be kept.
var licenceName = regexp.MustCompile(`(?i)^(li[cs]en[cs]es?|copying|notice|patents|unlicense)([-._].*)?$`)

// gatherLicences copies every module's licence texts to out, and notes the licence that
// the first of them is.
func gatherLicences(ctx context.Context, modCache string, modules []module, out string) error {
	for i, m := range modules {
		if err := ctx.Err(); err != nil {
			return err
		}
		escapedPath, err := gomodule.EscapePath(m.Path)
		if err != nil {
			return err
		}
		escapedVersion, err := gomodule.EscapeVersion(m.Version)
		if err != nil {
			return err
		}
		from := filepath.Join(modCache, escapedPath+"@"+escapedVersion)
		to := filepath.Join(out, escapedPath+"@"+escapedVersion)
		if modules[i].License, err = copyLicences(from, to); err != nil {
			return fmt.Errorf("gather the licence of %s: %w", m.Path, err)
		}
	}
	return nil
}

func copyLicences(from, to string) (licence string, err error) {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // built from a vendor folder or a replaced path: nothing to copy
	}
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licenceName.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err != nil {
			return "", err
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(to, entry.Name()), content, 0o644); err != nil {
			return "", err
		}
		if licence == "" {
			licence = identifyLicence(string(content))
		}
	}
	return licence, nil
}

// licenceMarks are phrases that only one licence has, most telling first.
var licenceMarks = []struct {
	spdx  string
	marks []string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}},
	{"MPL-2.0", []string{"Mozilla Public License", "2.0"}},
	{"LGPL-3.0-only", []string{"GNU LESSER GENERAL PUBLIC LICENSE", "Version 3"}},
	{"LGPL-2.1-only", []string{"GNU LESSER GENERAL PUBLIC LICENSE", "Version 2.1"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "endorse or promote"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
	{"MIT", []string{"Permission is hereby granted, free of charge"}},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software for any purpose"}},
	{"ISC", []string{"Permission to use, copy, modify, and distribute this software for any purpose"}},
	{"Unlicense", []string{"free and unencumbered software released into the public domain"}},
	{"CC0-1.0", []string{"CC0 1.0 Universal"}},
	{"Zlib", []string{"This software is provided 'as-is'", "altered source versions"}},
}

// identifyLicence gives a licence text's SPDX identifier, or nothing when unsure.
func identifyLicence(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, licence := range licenceMarks {
		all := true
		for _, mark := range licence.marks {
			all = all && strings.Contains(text, strings.ToLower(mark))
		}
		if all {
			return licence.spdx
		}
	}
	return ""
}
