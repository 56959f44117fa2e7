// A greedy completion by cgo: complete MODEL PROMPT TOKENS.
package main

/*
#cgo LDFLAGS: -lmixtral
#include <mixtral.h>
#include <stdlib.h>

// A handle is a number in a pointer's clothes. Go's collector ignores a *C.mixtral_model, whose type
// is incomplete, but follows an unsafe.Pointer, which is what mixtral_free would take from Go.
static void free_all(mixtral_model *model, mixtral_session *session, mixtral_sampler *sampler,
                     mixtral_detokenizer *detokenizer) {
  mixtral_free(detokenizer);
  mixtral_free(sampler);
  mixtral_free(session);
  mixtral_free(model);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"unsafe"
)

// failure makes an error of a status; nil when the call succeeded.
func failure(status C.mixtral_status) error {
	if status == C.MIXTRAL_OK {
		return nil
	}
	name := C.GoString(C.mixtral_status_name(status))
	return errors.New(name + ": " + C.GoString(C.mixtral_last_error()))
}

// completion holds the objects of the library; Close frees those that were made.
type completion struct {
	model       *C.mixtral_model
	session     *C.mixtral_session
	sampler     *C.mixtral_sampler
	detokenizer *C.mixtral_detokenizer
	ends        map[C.mixtral_token]bool
}

func open(path string) (*completion, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var options C.mixtral_sampler_options // all zero, and zero is the default
	options.struct_size = C.uint32_t(unsafe.Sizeof(options))
	options.temperature = 0 // always the likeliest token

	ids := make([]C.mixtral_token, 64) // more ends than models have; else the call says so
	var count C.size_t
	c := &completion{}
	for _, call := range []func() C.mixtral_status{
		func() C.mixtral_status { return C.mixtral_load(&c.model, name, nil) },
		func() C.mixtral_status {
			return C.mixtral_model_stop_tokens(&count, &ids[0], C.size_t(len(ids)), c.model)
		},
		func() C.mixtral_status { return C.mixtral_session_create(&c.session, c.model, nil) },
		func() C.mixtral_status { return C.mixtral_sampler_create(&c.sampler, &options) },
		func() C.mixtral_status {
			return C.mixtral_detokenizer_create(&c.detokenizer, c.model, C.MIXTRAL_DETOKENIZE_CONTINUE)
		},
	} {
		if err := failure(call()); err != nil {
			c.Close()
			return nil, err
		}
	}
	c.ends = map[C.mixtral_token]bool{}
	for _, id := range ids[:count] {
		c.ends[id] = true
	}
	return c, nil
}

func (c *completion) Close() {
	C.free_all(c.model, c.session, c.sampler, c.detokenizer)
}

func (c *completion) feed(prompt string) error {
	text := C.CString(prompt)
	defer C.free(unsafe.Pointer(text))
	// A token is at least a byte; a few more for what belongs before and after a text.
	tokens := make([]C.mixtral_token, len(prompt)+8)
	var count C.size_t
	if err := failure(C.mixtral_tokenize(&count, &tokens[0], C.size_t(len(tokens)), c.model,
		text, C.size_t(len(prompt)), C.MIXTRAL_TOKENIZE_BOS)); err != nil {
		return err
	}
	return failure(C.mixtral_step(c.session, &tokens[0], count))
}

// write shows what a token completes or, with count 0, what was held back of a character.
func (c *completion) write(token C.mixtral_token, count C.size_t) error {
	var piece [1024]byte
	var size C.size_t
	if err := failure(C.mixtral_detokenizer_next(&size, (*C.char)(unsafe.Pointer(&piece[0])),
		C.size_t(len(piece)), c.detokenizer, &token, count)); err != nil {
		return err
	}
	_, err := os.Stdout.Write(piece[:size])
	return err
}

func (c *completion) generate(limit int) error {
	for made := 0; made < limit; made++ {
		var token C.mixtral_token
		if err := failure(C.mixtral_sample(&token, c.session, c.sampler)); err != nil {
			return err
		}
		if c.ends[token] {
			break
		}
		if err := c.write(token, 1); err != nil {
			return err
		}
		if err := failure(C.mixtral_step(c.session, &token, 1)); err != nil {
			return err
		}
	}
	return c.write(0, 0)
}

func run(arguments []string) error {
	if len(arguments) != 4 {
		return errors.New("usage: complete MODEL PROMPT TOKENS")
	}
	limit, err := strconv.Atoi(arguments[3])
	if err != nil {
		return err
	}
	// The library keeps its last error by thread: the goroutine must ask on the thread that failed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := open(arguments[1])
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.feed(arguments[2]); err != nil {
		return err
	}
	return c.generate(limit)
}

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
