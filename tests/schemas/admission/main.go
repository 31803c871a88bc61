// Command admission judges pods by a ValidatingAdmissionPolicy, with the API server's own CEL environment:
//
//	admission POLICY.yaml <PODS.json
//
// Standard input is a list of pods; a line for each is printed: "admitted", or the messages that refuse it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := judge(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
}

func judge(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var policy admissionv1.ValidatingAdmissionPolicy
	first, _, _ := strings.Cut(string(text), "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(first), &policy); err != nil {
		return err
	}
	var pods []any
	if err := json.NewDecoder(os.Stdin).Decode(&pods); err != nil {
		return err
	}
	// The oldest release that the policy is for.
	set := environment.MustBaseEnvSet(version.MajorMinor(1, 30), true)
	base, err := set.Env(environment.NewExpressions)
	if err != nil {
		return err
	}
	env, err := base.Extend(cel.Variable("object", cel.DynType), cel.Variable("variables", cel.MapType(cel.StringType, cel.DynType)))
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

func verdict(env *cel.Env, policy *admissionv1.ValidatingAdmissionPolicy, pod any) (string, error) {
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
