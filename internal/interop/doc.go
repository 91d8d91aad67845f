// Package interop holds the tests of this library against parties that others
// wrote: the official x402 clients and servers for JavaScript, and the node
// anvil. Each of the scripts beside this file drives one of them.
//
// The tests need Node.js and the packages of package.json, which are pinned. If
// CI or V402_INTEROP is set in the environment they install what is missing;
// else, where it is missing, they are skipped:
//
//	V402_INTEROP=1 go test ./internal/interop
package interop
