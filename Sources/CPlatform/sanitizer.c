/*
 * What the leak search of AddressSanitizer has to know. Only in builds with it.
 *
 * Enums of Swift keep marks in bits of a pointer that are not used otherwise. The search does not take such a word for
 * a pointer, so that what a constant holds in its enums looks lost. Constants are made once, below `once_slow`.
 *
 * Thread: any, asked once at the end. Promise: nothing but constants is passed over.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:once_slow\n"; }
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }
#endif
#endif
