package workflow

import (
	"strings"
	"testing"
)

func TestDiffLines(t *testing.T) {
	ten := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"
	tests := map[string]struct {
		was, becomes, want string
	}{
		"the same":      {ten, ten, ""},
		"in the middle": {ten, strings.Replace(ten, "5\n", "five\n", 1), "…| 3| 4|-5|+five| 6| 7|…"},
		"at the end":    {ten, ten + "11\n", "…| 9| 10|+11"},
		"at the begin":  {ten, "0\n" + ten, "+0| 1| 2|…"},
		"a new text":    {"", "a\nb\n", "+a|+b"},
		"to nothing":    {"a\n", "", "-a"},
		"CRLF":          {"a\r\nb\r\n", "a\r\nc\r\n", " a|-b|+c"},
		"no last break": {"a\nb", "a\nb\nc", " a|-b|+b|+c"},
		"two places":    {ten, strings.Replace("0\n"+ten, "10\n", "", 1), "+0| 1| 2|…| 8| 9|-10"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, line := range DiffLines([]byte(test.was), []byte(test.becomes)) {
				got = append(got, line.String())
			}
			if strings.Join(got, "|") != test.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), test.want)
			}
		})
	}
	lines := DiffLines([]byte(ten), []byte(strings.Replace(ten, "5\n", "five\n", 1)))
	if lines[3].Old != 5 || lines[3].New != 0 || lines[4].New != 5 || lines[5].Old != 6 || lines[5].New != 6 {
		t.Errorf("the numbers are wrong: %+v", lines)
	}
}
