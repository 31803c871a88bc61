// Command hello prints a greeting.
package main

import (
	"fmt"
	"os"

	"example.com/hello/greeting"
)

func main() {
	name := "gopher"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	fmt.Println(greeting.For(name))
}
