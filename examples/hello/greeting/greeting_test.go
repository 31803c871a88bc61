package greeting

import (
	"os"
	"strings"
	"testing"
)

func TestFor(t *testing.T) {
	cases, err := os.ReadFile("testdata/greetings.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(cases)), "\n") {
		name, want, _ := strings.Cut(line, "|")
		if got := For(name); got != want {
			t.Errorf("For(%q) = %q, want %q", name, got, want)
		}
	}
}
