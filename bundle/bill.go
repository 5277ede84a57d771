package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// EncodeBill writes a bill as it lies in a bundle and on hosts: the same bill is always the same
// bytes.
func EncodeBill(bill Bill) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(bill); err != nil {
		return nil, fmt.Errorf("write the bill: %w", err)
	}
	return buffer.Bytes(), nil
}

// ID names a bundle by its Kubernetes version and what is in it: v1.37.2-0123456789ab. It can be the
// name of a folder.
func (b Bill) ID() (string, error) {
	content, err := EncodeBill(b)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return b.KubernetesVersion + "-" + hex.EncodeToString(sum[:])[:digestLength], nil
}

// ErrBillVersion tells that a bill's format is not the one that this Slipway reads.
var ErrBillVersion = errors.New("another version of the bill's format")

// ReadBill reads what EncodeBill wrote, and nothing else: a field that it does not know is an error.
func ReadBill(data []byte) (Bill, error) {
	var versioned struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(data, &versioned); err != nil {
		return Bill{}, fmt.Errorf("read the bill: %w", err)
	}
	if versioned.APIVersion != APIVersion {
		return Bill{}, fmt.Errorf("read the bill: %w: it is %q, this Slipway reads %s", ErrBillVersion, versioned.APIVersion, APIVersion)
	}
	var bill Bill
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&bill); err != nil {
		return Bill{}, fmt.Errorf("read the bill: %w", err)
	}
	return bill, nil
}
