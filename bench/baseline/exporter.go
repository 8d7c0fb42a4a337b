// An exporter as people write it with client_golang: a GaugeVec for each family, set once, served by promhttp.
// It takes its series from a page of notafter, so that both serve the same ones.
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type family struct {
	help string
	vec  *prometheus.GaugeVec
}

// Texts that repeat are kept once, which is kind to this exporter.
var words = map[string]string{}

func main() {
	registry := prometheus.NewRegistry()
	load(registry, os.Args[1])
	words = nil
	debug.FreeOSMemory()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	fmt.Println(listener.Addr())
	check(http.Serve(listener, nil))
}

func load(registry *prometheus.Registry, path string) {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	families := map[string]*family{}
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if rest := strings.TrimPrefix(line, "# HELP "); rest != line {
			name, help, _ := strings.Cut(rest, " ")
			families[name] = &family{help: help}
			continue
		}
		open := strings.IndexByte(line, '{')
		if line == "" || line[0] == '#' || open < 0 {
			continue
		}
		// Histograms have other names than their family; they and what has no labels are a handful of lines.
		if family := families[line[:open]]; family != nil {
			add(registry, family, line, open)
		}
	}
	check(lines.Err())
}

func add(registry *prometheus.Registry, family *family, line string, open int) {
	end := strings.LastIndexByte(line, '}')
	names, values := labels(line[open+1 : end])
	if family.vec == nil {
		opts := prometheus.GaugeOpts{Name: strings.Clone(line[:open]), Help: strings.Clone(family.help)}
		family.vec = prometheus.NewGaugeVec(opts, names)
		registry.MustRegister(family.vec)
	}
	value, err := strconv.ParseFloat(line[end+2:], 64)
	check(err)
	family.vec.WithLabelValues(values...).Set(value)
}

func labels(text string) (names, values []string) {
	for text != "" {
		name, rest, _ := strings.Cut(text, "=\"")
		end := 0
		for rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		names = append(names, word(name))
		values = append(values, word(strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(rest[:end])))
		text = strings.TrimPrefix(rest[end+1:], ",")
	}
	return names, values
}

func word(text string) string {
	known, ok := words[text]
	if !ok {
		known = strings.Clone(text)
		words[known] = known
	}
	return known
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
