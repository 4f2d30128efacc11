// Package eventspb is events.proto, which says what a record of the topic signalbox.events holds,
// and the Go types made of it. Package stream encodes by hand and uses these types in its tests
// only; they are for other readers of the topic. It refuses to hold anything else.
package eventspb

//go:generate go build -o ../../.cache/tools/ google.golang.org/protobuf/cmd/protoc-gen-go
//go:generate protoc --plugin=../../.cache/tools/protoc-gen-go --go_out=. --go_opt=paths=source_relative events.proto
