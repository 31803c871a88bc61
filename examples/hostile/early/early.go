// Package early attacks as soon as it is linked into anything that runs.
package early

import (
	"os"

	"example.com/hostile/attacks"
)

// Succeeded counts the attempts that succeeded.
var Succeeded int

func init() {
	Succeeded = attacks.Run("init", os.Stdout)
}
