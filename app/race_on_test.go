//go:build race

package app

// slower is by how much the race detector slows the program down: what is sent to it is spread as much.
const slower = 10
