// The library turns a failed check into the status INTERNAL (Sources/Platform/recovery.c). While
// fuzzing it is a finding, reported with the stack of the place: the linker sends the engine's
// traps here (`--wrap=platform_trap`).
#include <stdlib.h>

_Noreturn void __wrap_platform_trap(void) { abort(); }
