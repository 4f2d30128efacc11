// Package cmdb knows the estate: its items and relations, the graph of how failure travels
// between them at a moment, and which item a label set speaks of. It reads estate files and says
// every fault with its place. It refuses to guess: what could mean two items means none.
//
// An Estate and Parts are plain data. A Graph is immutable but for Discover and Refresh; one
// goroutine uses it.
package cmdb
