package bundle

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestABillIsReadAsItWasWritten(t *testing.T) {
	want := shared
	want.APIVersion = APIVersion
	data, err := EncodeBill(want)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := EncodeBill(want); !bytes.Equal(again, data) {
		t.Error("the same bill became other bytes")
	}
	got, err := ReadBill(data)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestWhatIsNoBillIsRefused(t *testing.T) {
	const head = `{"apiVersion": "` + APIVersion + `"`
	for content, want := range map[string]string{
		"":   "read the bill: ",
		"{}": `it is "", this Slipway reads ` + APIVersion,
		`{"apiVersion": "slipway.dev/bundle/v9", "more": 1}`: ErrBillVersion.Error(),
		head + `, "more": 1}`:                                `unknown field "more"`,
		head + `, "images": 1}`:                              "cannot unmarshal",
		head + `} {}`:                                        "after top-level value",
	} {
		if bill, err := ReadBill([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", content, bill, err, want)
		}
	}
	if _, err := ReadBill([]byte("{}")); !errors.Is(err, ErrBillVersion) {
		t.Errorf("no version: %v", err)
	}
}

// FuzzReadBill: what is taken for a bill is written and read again as the same.
func FuzzReadBill(f *testing.F) {
	bill := shared
	bill.APIVersion = APIVersion
	data, err := EncodeBill(bill)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte(`{"apiVersion": "` + APIVersion + `", "sets": [{}]} `))
	f.Fuzz(func(t *testing.T, content []byte) {
		bill, err := ReadBill(content)
		if err != nil {
			return
		}
		data, err := EncodeBill(bill)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadBill(data)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := EncodeBill(again); err != nil || !bytes.Equal(second, data) {
			t.Errorf("%v, written %s, read and written again %s", err, data, second)
		}
	})
}
