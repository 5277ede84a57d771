package build

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"
)

// tinyELF makes an ELF file that has nothing but what a loader asks: the libraries that
// it needs, and the loader itself where it is a program.
func tinyELF(t *testing.T, loader string, needs ...string) []byte {
	t.Helper()
	names := []byte{0}
	var dynamic []elf.Dyn64
	for _, need := range needs {
		dynamic = append(dynamic, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(len(names))})
		names = append(append(names, need...), 0)
	}
	dynamic = append(dynamic, elf.Dyn64{Tag: int64(elf.DT_NULL)})
	var body bytes.Buffer
	put := func(value any) (offset, size uint64) {
		offset = 64 + 56 + uint64(body.Len()) // behind the header and one program header
		must(t, binary.Write(&body, binary.LittleEndian, value))
		return offset, 64 + 56 + uint64(body.Len()) - offset
	}
	interp, interpSize := put(append([]byte(loader), 0))
	strings, stringsSize := put(names)
	table, tableSize := put(dynamic)
	sections, _ := put([]elf.Section64{
		{},
		{Type: uint32(elf.SHT_STRTAB), Off: strings, Size: stringsSize},
		{Type: uint32(elf.SHT_DYNAMIC), Off: table, Size: tableSize, Link: 1, Entsize: 16},
	})
	header := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Phentsize: 56, Phnum: 1, Shoff: sections, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 1,
	}
	segment := elf.Prog64{Type: uint32(elf.PT_INTERP), Off: interp, Filesz: interpSize, Memsz: interpSize}
	if loader == "" {
		segment.Type = uint32(elf.PT_NULL)
	}
	var out bytes.Buffer
	must(t, binary.Write(&out, binary.LittleEndian, header))
	must(t, binary.Write(&out, binary.LittleEndian, segment))
	out.Write(body.Bytes())
	return out.Bytes()
}

// TestASelectionHasWhatItsProgramsLoad checks that a program brings its loader and its
// libraries, these theirs, and that a library no package has is told.
func TestASelectionHasWhatItsProgramsLoad(t *testing.T) {
	tree := &debTree{scratch: t.TempDir(), nodes: map[string]debNode{
		"usr/lib/x/libone.so.1": {owner: "libone", target: "libone.so.1.2"},
		"usr/lib64/ld.so.2":     {owner: "libc", target: "/lib/x/ld.so.2"},
	}}
	for name, content := range map[string][]byte{
		"usr/sbin/prog":           tinyELF(t, "/lib64/ld.so.2", "libone.so.1"),
		"usr/lib/x/libone.so.1.2": tinyELF(t, "", "libtwo.so.2", "libgone.so.9"),
		"usr/lib/x/libtwo.so.2":   tinyELF(t, "", "libone.so.1"), // in a circle
		"usr/lib/x/ld.so.2":       tinyELF(t, ""),
		"usr/lib/x/libother.so":   tinyELF(t, ""), // nobody asks for it
	} {
		tree.nodes[name] = debNode{owner: "tools", mode: 0o755}
		write(t, filepath.Join(tree.scratch, name), string(content))
	}
	selected := tree.newSelection("usr/lib/x")
	must(t, selected.add("usr/sbin/prog"))
	want := []string{"usr/lib/x/ld.so.2", "usr/lib/x/libone.so.1", "usr/lib/x/libone.so.1.2", "usr/lib/x/libtwo.so.2", "usr/lib64/ld.so.2", "usr/sbin/prog"}
	if got := sortedKeys(selected.paths); !slices.Equal(got, want) {
		t.Errorf("selected %v, want %v", got, want)
	}
	if got, want := sortedKeys(selected.missing), []string{"usr/lib/x/libgone.so.9"}; !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
}
