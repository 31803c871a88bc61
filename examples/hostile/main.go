// Command hostile tries what real attacks tried, and says what came of it.
package main

import (
	"os"

	"example.com/hostile/attacks"
	"example.com/hostile/early"
)

//go:generate go run . generate

func main() {
	phase := "run"
	if len(os.Args) > 1 {
		phase = os.Args[1]
	}
	succeeded := early.Succeeded + attacks.Run(phase, os.Stdout)
	if succeeded > 0 {
		os.Exit(1)
	}
}
