// Reads a dashboard as Grafana's own types have it: no field that they do not know, none missing, every constraint kept.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func check(raw string) error {
	var board dashboard.Dashboard
	err := board.UnmarshalJSONStrict([]byte(raw))
	// Without a mistake it returns an empty list of mistakes, which is no nil.
	var mistakes cog.BuildErrors
	if err != nil && !(errors.As(err, &mistakes) && len(mistakes) == 0) {
		return err
	}
	if err := board.Validate(); err != nil {
		return err
	}
	if len(board.Panels) == 0 {
		return errors.New("no panels")
	}
	return nil
}

func main() {
	plugins.RegisterDefaultPlugins()
	raw, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if err := check(string(raw)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	// That it would find something.
	planted := strings.Replace(string(raw), `"colorMode"`, `"colourMode"`, 1)
	if planted == string(raw) || check(planted) == nil {
		fmt.Println("a misspelt field in a panel was not found")
		os.Exit(1)
	}
}
