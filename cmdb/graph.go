// Package cmdb holds items, relations and the graph at a moment.
package cmdb

// Node is the handle of an item in one Graph.
type Node int32

// Graph is the estate as a graph.
type Graph struct{}
