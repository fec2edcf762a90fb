// pkg-config's search path leads into hiredis' own folder on some systems, to its parent on others.
#if __has_include(<hiredis/hiredis.h>)
#include <hiredis/hiredis.h>
#else
#include <hiredis.h>
#endif
