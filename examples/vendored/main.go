// Command vendored names a few things in parallel, with modules from its vendor folder.
package main

import (
	"fmt"
	"os"
	"sort"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// names gives each word an identifier that depends on the word alone.
func names(words []string) ([]string, error) {
	named := make([]string, len(words))
	var group errgroup.Group
	for i, word := range words {
		i, word := i, word
		group.Go(func() error {
			named[i] = fmt.Sprintf("%s %s", uuid.NewSHA1(uuid.NameSpaceDNS, []byte(word)), word)
			return nil
		})
	}
	err := group.Wait()
	sort.Strings(named)
	return named, err
}

func main() {
	named, err := names([]string{"example.com", "example.net", "example.org"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range named {
		fmt.Println(name)
	}
}
