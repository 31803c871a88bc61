package main

import "testing"

func TestNamesAreStable(t *testing.T) {
	first, err := names([]string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := names([]string{"b", "a"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("%q and %q differ", first[i], second[i])
		}
	}
}
