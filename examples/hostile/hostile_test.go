package main

import (
	"os"
	"testing"

	"example.com/hostile/attacks"
	"example.com/hostile/early"
)

func TestEverythingIsContained(t *testing.T) {
	if n := early.Succeeded + attacks.Run("test", os.Stdout); n > 0 {
		t.Errorf("%d attempts succeeded", n)
	}
}
