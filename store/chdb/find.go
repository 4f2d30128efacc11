package chdb

import (
	"os"
	"path/filepath"
	"runtime"
)

// file is the library's name.
const file = "libchdb.so"

// Find returns where the library is: the path given, else LIBCHDB, else where `make chdb` puts it, beside
// the program, or in the system's folders. Without any it returns the name alone, which Open reports.
func Find(path string) string {
	if path == "" {
		path = os.Getenv("LIBCHDB")
	}
	if path != "" {
		return path
	}
	for _, dir := range folders() {
		if p := filepath.Join(dir, file); exists(p) {
			return p
		}
	}
	return file
}

func folders() []string {
	var out []string
	fetched := filepath.Join("scripts", "chdb", "node_modules", "@chdb", "lib-"+platform())
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		// bin/signalbox of a source tree finds it from every working directory.
		out = append(out, dir, filepath.Join(dir, "..", "lib"), filepath.Join(dir, "..", fetched))
	}
	if dir, err := os.Getwd(); err == nil { // tests run in the folders of their packages
		for range 4 {
			out = append(out, filepath.Join(dir, fetched))
			dir = filepath.Dir(dir)
		}
	}
	return append(out, "/usr/local/lib", "/usr/lib")
}

func platform() string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return runtime.GOOS + "-" + arch + "-gnu"
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
