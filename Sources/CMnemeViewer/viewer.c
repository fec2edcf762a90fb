// The viewer's files by their paths. #embed is of C23; clang has it in all modes.
#pragma clang diagnostic ignored "-Wc23-extensions"

#include "mneme_viewer.h"

static const unsigned char index_html[] = {
#embed "web/index.html"
};
static const unsigned char viewer_css[] = {
#embed "web/viewer.css"
};
static const unsigned char icon_svg[] = {
#embed "web/icon.svg"
};

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define JS "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"

static const mnm_viewer_file files[] = {
    {"", HTML, index_html, sizeof index_html},
    {"viewer/viewer.css", CSS, viewer_css, sizeof viewer_css},
    {"viewer/icon.svg", SVG, icon_svg, sizeof icon_svg},
};

size_t mnm_viewer_file_count(void) { return sizeof files / sizeof files[0]; }
mnm_viewer_file mnm_viewer_file_at(size_t index) { return files[index]; }
