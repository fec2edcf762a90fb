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
static const unsigned char dom_js[] = {
#embed "web/dom.js"
};
static const unsigned char api_js[] = {
#embed "web/api.js"
};
static const unsigned char app_js[] = {
#embed "web/app.js"
};
static const unsigned char parts_js[] = {
#embed "web/parts.js"
};
static const unsigned char layout_js[] = {
#embed "web/layout.js"
};
static const unsigned char memories_js[] = {
#embed "web/pages/memories.js"
};
static const unsigned char memory_js[] = {
#embed "web/pages/memory.js"
};
static const unsigned char ask_js[] = {
#embed "web/pages/ask.js"
};
static const unsigned char timeline_js[] = {
#embed "web/pages/timeline.js"
};
static const unsigned char links_js[] = {
#embed "web/pages/links.js"
};
static const unsigned char tiers_js[] = {
#embed "web/pages/tiers.js"
};
static const unsigned char quarantine_js[] = {
#embed "web/pages/quarantine.js"
};
static const unsigned char jobs_js[] = {
#embed "web/pages/jobs.js"
};
static const unsigned char audit_js[] = {
#embed "web/pages/audit.js"
};
static const unsigned char keys_js[] = {
#embed "web/pages/keys.js"
};
static const unsigned char vaults_js[] = {
#embed "web/pages/vaults.js"
};
static const unsigned char models_js[] = {
#embed "web/pages/models.js"
};
static const unsigned char chat_js[] = {
#embed "web/pages/chat.js"
};

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define JS "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"

static const mnm_viewer_file files[] = {
    {"", HTML, index_html, sizeof index_html},
    {"viewer/viewer.css", CSS, viewer_css, sizeof viewer_css},
    {"viewer/dom.js", JS, dom_js, sizeof dom_js},
    {"viewer/api.js", JS, api_js, sizeof api_js},
    {"viewer/app.js", JS, app_js, sizeof app_js},
    {"viewer/parts.js", JS, parts_js, sizeof parts_js},
    {"viewer/layout.js", JS, layout_js, sizeof layout_js},
    {"viewer/pages/memories.js", JS, memories_js, sizeof memories_js},
    {"viewer/pages/memory.js", JS, memory_js, sizeof memory_js},
    {"viewer/pages/ask.js", JS, ask_js, sizeof ask_js},
    {"viewer/pages/timeline.js", JS, timeline_js, sizeof timeline_js},
    {"viewer/pages/links.js", JS, links_js, sizeof links_js},
    {"viewer/pages/tiers.js", JS, tiers_js, sizeof tiers_js},
    {"viewer/pages/quarantine.js", JS, quarantine_js, sizeof quarantine_js},
    {"viewer/pages/jobs.js", JS, jobs_js, sizeof jobs_js},
    {"viewer/pages/audit.js", JS, audit_js, sizeof audit_js},
    {"viewer/pages/keys.js", JS, keys_js, sizeof keys_js},
    {"viewer/pages/vaults.js", JS, vaults_js, sizeof vaults_js},
    {"viewer/pages/models.js", JS, models_js, sizeof models_js},
    {"viewer/pages/chat.js", JS, chat_js, sizeof chat_js},
    {"viewer/icon.svg", SVG, icon_svg, sizeof icon_svg},
};

size_t mnm_viewer_file_count(void) { return sizeof files / sizeof files[0]; }
mnm_viewer_file mnm_viewer_file_at(size_t index) { return files[index]; }
