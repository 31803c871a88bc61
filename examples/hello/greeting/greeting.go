// Package greeting makes greetings.
package greeting

// For is the greeting for name.
func For(name string) string {
	return "hello, " + name
}
