package main

// What the two Go clients share: a line per step, comparisons, the types.

import (
	"fmt"
	"os"
	"strings"
)

type valueType struct{ name, sql, literal, check string }

func types() []valueType {
	text, err := os.ReadFile(os.Getenv("D_TYPES"))
	must(err)
	var found []valueType
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		part := strings.Split(line, "\t")
		found = append(found, valueType{part[0], part[1], part[2], part[3]})
	}
	return found
}

func shorten(value interface{}) string {
	text := fmt.Sprint(value)
	if len(text) > 200 {
		return text[:200]
	}
	return text
}

// Fails the step unless both print alike.
func expect(actual, wanted interface{}) {
	if fmt.Sprint(actual) != fmt.Sprint(wanted) {
		panic(fmt.Errorf("%s instead of %s", shorten(actual), shorten(wanted)))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func step(name string, action func()) {
	defer func() {
		if problem := recover(); problem != nil {
			why := strings.ReplaceAll(fmt.Sprint(problem), "\n", " | ")
			fmt.Println("FAIL", name, why)
		}
	}()
	action()
	fmt.Println("ok", name)
}

func bigBytes() []byte {
	value := make([]byte, 5<<20)
	for i := range value {
		value[i] = byte(i)
	}
	return value
}
