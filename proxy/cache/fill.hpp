#pragma once
namespace postern::proxy { struct CacheFill {}; }
