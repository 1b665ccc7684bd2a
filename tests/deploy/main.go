// Reads Dockerfiles and compose files with the parsers of BuildKit and Docker Compose.
//
//	deploycheck dockerfile FILE…   syntax, instructions, stages, and every rule of BuildKit's linter
//	deploycheck compose FILE…      the whole model: schema, references to networks, volumes, services
//
// Prints one line for each file or fault; exit code 1 when there was a fault.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	checks := map[string]func(string) (string, []error){"dockerfile": dockerfile, "compose": compose}
	if len(os.Args) < 3 || checks[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: deploycheck dockerfile|compose FILE…")
		os.Exit(2)
	}
	failed := false
	for _, path := range os.Args[2:] {
		found, faults := checks[os.Args[1]](path)
		for _, fault := range faults {
			failed = true
			fmt.Printf("%s: %v\n", path, fault)
		}
		if len(faults) == 0 {
			fmt.Printf("%s: %s\n", path, found)
		}
	}
	if failed {
		os.Exit(1)
	}
}

func dockerfile(path string) (string, []error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", []error{err}
	}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return "", []error{err}
	}
	var faults []error
	for _, warning := range parsed.Warnings {
		faults = append(faults, fmt.Errorf("%s", warning.Short))
	}
	warn := func(rule, _, _, message string, at []parser.Range) {
		line := 0
		if len(at) > 0 {
			line = at[0].Start.Line
		}
		faults = append(faults, fmt.Errorf("line %d: %s: %s", line, rule, message))
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn}))
	if err != nil {
		return "", append(faults, err)
	}
	known, count := map[string]bool{}, 0
	for _, stage := range stages {
		for _, command := range stage.Commands {
			count++
			if copied, ok := command.(*instructions.CopyCommand); ok && copied.From != "" && !known[copied.From] {
				faults = append(faults, fmt.Errorf("COPY --from=%s: no such stage before it", copied.From))
			}
		}
		known[stage.Name] = true
	}
	last := stages[len(stages)-1]
	user := ""
	for _, command := range last.Commands {
		if set, ok := command.(*instructions.UserCommand); ok {
			user = set.User
		}
	}
	if user == "" || user == "root" || user == "0" {
		faults = append(faults, fmt.Errorf("the image runs as root; set USER"))
	}
	return fmt.Sprintf("%d stages, %d instructions, user %s", len(stages), count, user), faults
}

func compose(path string) (string, []error) {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithName("check"), cli.WithOsEnv, cli.WithInterpolation(true), cli.WithResolvedPaths(true))
	if err != nil {
		return "", []error{err}
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return "", []error{err}
	}
	var faults []error
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != "bind" {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				faults = append(faults, fmt.Errorf("service %s mounts what is not there: %w", name, err))
			}
		}
		if service.Build != nil {
			if _, err := os.Stat(service.Build.Context + "/" + service.Build.Dockerfile); err != nil {
				faults = append(faults, fmt.Errorf("service %s: %w", name, err))
			}
		}
	}
	return fmt.Sprintf("services %v, volumes %v", project.ServiceNames(), project.VolumeNames()), faults
}
