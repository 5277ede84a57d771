package hosttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// Content makes a blob of content that is no secret.
func Content(content []byte) hosts.Blob { return hosts.ContentBlob(content) }

// Secret makes a blob of content that is one.
func Secret(content []byte) hosts.Blob {
	blob := Content(content)
	keyed := sha256.Sum256(append([]byte("a key "), content...))
	blob.Ref, blob.Secret = "secret:"+hex.EncodeToString(keyed[:]), true
	return blob
}

// LetWrite lets a user write to a directory by an access control list, as `setfacl -m u:UID:rwx`
// does: its mode shows a group that may write.
func LetWrite(path string, uid uint32) error {
	if err := os.Chmod(path, 0o755); err != nil {
		return err
	}
	const nobody = ^uint32(0)
	var list bytes.Buffer
	for _, value := range []any{
		uint32(2),                       // its version; then each entry's tag, what it may, and who it is
		uint16(0x01), uint16(7), nobody, // the owner
		uint16(0x02), uint16(7), uid, // a user
		uint16(0x04), uint16(5), nobody, // the group
		uint16(0x10), uint16(7), nobody, // the mask
		uint16(0x20), uint16(5), nobody, // others
	} {
		if err := binary.Write(&list, binary.LittleEndian, value); err != nil {
			return err
		}
	}
	return unix.Setxattr(path, "system.posix_acl_access", list.Bytes(), 0)
}
