// Command admission judges pods by a ValidatingAdmissionPolicy, with the CEL implementation of the API server:
//
//	admission json POD.yaml             prints it as JSON
//	admission judge POLICY.yaml <PODS.json
//
// Standard input is a list of pods; a line for each is printed: "admitted", or the messages that refuse it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/cel-go/cel"
	"sigs.k8s.io/yaml"
)

// Of a ValidatingAdmissionPolicy what decides; Kubernetes' schema holds the rest to its form.
type admissionPolicy struct {
	Kind string
	Spec struct {
		FailurePolicy string
		Variables     []struct{ Name, Expression string }
		Validations   []struct{ Expression, Message string }
	}
}

func main() {
	command := judge
	if os.Args[1] == "json" {
		command = show
	}
	if err := command(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
}

func show(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	pod, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	fmt.Println(string(pod))
	return nil
}

func judge(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var policy admissionPolicy
	first, _, _ := strings.Cut(string(text), "\n---\n")
	if err := yaml.Unmarshal([]byte(first), &policy); err != nil {
		return err
	}
	if policy.Kind != "ValidatingAdmissionPolicy" || policy.Spec.FailurePolicy != "Fail" || len(policy.Spec.Validations) == 0 {
		return fmt.Errorf("%s is no policy that refuses what it cannot judge", file)
	}
	var pods []any
	if err := json.NewDecoder(os.Stdin).Decode(&pods); err != nil {
		return err
	}
	// What the API server has had since Kubernetes 1.29.
	env, err := cel.NewEnv(cel.OptionalTypes(), cel.HomogeneousAggregateLiterals(),
		cel.Variable("object", cel.DynType), cel.Variable("variables", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		return err
	}
	for _, pod := range pods {
		verdict, err := verdict(env, &policy, pod)
		if err != nil {
			return err
		}
		fmt.Println(verdict)
	}
	return nil
}

func verdict(env *cel.Env, policy *admissionPolicy, pod any) (string, error) {
	variables := map[string]any{}
	for _, variable := range policy.Spec.Variables {
		value, err := evaluate(env, variable.Expression, pod, variables)
		if err != nil {
			return "error: " + err.Error(), nil
		}
		variables[variable.Name] = value
	}
	var said []string
	for _, rule := range policy.Spec.Validations {
		value, err := evaluate(env, rule.Expression, pod, variables)
		switch {
		// failurePolicy: Fail
		case err != nil:
			said = append(said, "error: "+err.Error())
		case value != true:
			said = append(said, rule.Message)
		}
	}
	if len(said) == 0 {
		return "admitted", nil
	}
	return strings.Join(said, "; "), nil
}

func evaluate(env *cel.Env, expression string, pod any, variables map[string]any) (any, error) {
	tree, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	program, err := env.Program(tree)
	if err != nil {
		return nil, err
	}
	value, _, err := program.Eval(map[string]any{"object": pod, "variables": variables})
	if err != nil {
		return nil, err
	}
	return value.Value(), nil
}
